// The image that tests of the board run: says what it was handed, feeds the watchdog, and does what single letters on
// the console ask for.
#include "boot/port/bare/runtime.h"
#include "boot/port/board.h"
#include "slots/record_store.h"

namespace pawl {
namespace {

void Say(std::string_view text) {
  board::Print("probe: ");
  board::Print(text);
  board::Print("\n");
}

void SayStatus(std::string_view what, const Status& status) {
  BoundedText<300> text(what);
  text.append(": ").append(status ? std::string_view("done") : Text(status.error().reason));
  if (!status) text.append(": ").append(status.error().detail);
  Say(text);
}

void SayHandOff(const HandOff& hand_off) {
  BoundedText<160> text("slot ");
  text.append(Text(hand_off.slot)).append(", mode ").append(Text(hand_off.mode));
  text.append(", cause ").append(Text(hand_off.cause)).append(", trial ").append_number(hand_off.trial);
  text.append(", security version ").append_number(hand_off.security_version);
  text.append(", window ").append_number(hand_off.watchdog_ms);
  Say(text);
}

Status ConfirmRunning(const HandOff& hand_off) {
  RecordStore store(board::RecordFlash());
  const RecordState state = store.Load();
  if (state.kind != RecordKind::kValid) return Fail(Reason::kRecordLost, "no boot record to confirm in");
  PAWL_ASSIGN(const BootRecord next, Confirm(state.record, hand_off.slot));
  return store.Commit(next);
}

// The other slot's first sector is erased and programmed; a second program asks for a bit that is clear.
void TryFlash(Flash& flash) {
  constexpr std::array<std::uint8_t, 7> kFirst = {0x0f, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66};
  constexpr std::array<std::uint8_t, 2> kClears = {0x0f, 0x01};
  constexpr std::array<std::uint8_t, 2> kSets = {0x0f, 0x80};
  SayStatus("erase", flash.Erase(0));
  SayStatus("program", flash.Program(2045, kFirst));  // over the end of a write buffer, and not by whole words
  SayStatus("clear more bits", flash.Program(2045, kClears));
  SayStatus("set a bit", flash.Program(2045, kSets));
  SayStatus("outside", flash.Program(flash.bytes() - 1, kClears));
  std::array<std::uint8_t, 9> read{};
  SayStatus("read", flash.Read(2044, read));
  constexpr std::array<std::uint8_t, 9> kExpected = {0xff, 0x0f, 0x01, 0x22, 0x33, 0x44, 0x55, 0x66, 0xff};
  Say(read == kExpected ? "the flash holds what it should" : "the flash holds something else");
}

// As a flash driver would do it: the read-only bank takes the command and refuses it.
void TryRom() {
  auto* rom = reinterpret_cast<volatile std::uint32_t*>(0x00100000);  // the ROM data's first word
  const std::uint32_t before = *rom;
  *rom = 0x00400040;
  *rom = 0;
  *rom = 0x00ff00ff;
  Say(*rom == before ? "the ROM is as it was" : "the ROM was written");
}

// The bootloader locked it; this one is then not fed any more.
[[noreturn]] void TryWatchdog() {
  *reinterpret_cast<volatile std::uint8_t*>(0x3f008068) = 0;  // the lock register: neither locked nor enabled
  Say("tried to switch the watchdog off");
  for (;;) {
  }
}

void Obey(std::uint8_t letter, const HandOff& hand_off) {
  switch (letter) {
    case 'c':
      return SayStatus("confirm", ConfirmRunning(hand_off));
    case 'r':
      board::Reset();
    case 'h':
      Say("hangs");
      for (;;) {
      }
    case 'w':
      TryWatchdog();
    case 'j':
      return reinterpret_cast<void (*)()>(0xF0000000)();  // nothing is there
    case 'u':
      __builtin_trap();
    case 'a':
      PAWL_ASSERT(letter != 'a');
      return;
    case 'd':
      *reinterpret_cast<volatile std::uint32_t*>(0xF0000000) = 1;  // nothing is there
      return;
    case 'f':
      return TryFlash(board::SlotFlash(Other(hand_off.slot)));
    case 'o':
      return TryRom();
    default:
      return;
  }
}

}  // namespace
}  // namespace pawl

void PawlMain() {
  using namespace pawl;
  board::Start();
  const HandOff hand_off = board::TakeHandOff();
  SayHandOff(hand_off);
  for (;;) {
    board::FeedWatchdog();
    if (const auto letter = board::ReadByte()) Obey(*letter, hand_off);
  }
}
