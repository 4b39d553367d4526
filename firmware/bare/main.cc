// Firmware for a board without operating system: a Child over boot/port/board.h. Version and behaviour are the build's.
#include "boot/port/bare/runtime.h"
#include "boot/port/board.h"
#include "firmware/bare/behaviour.h"
#include "firmware/bare/child.h"

namespace pawl::firmware {
namespace {

constexpr Behaviour kBehaviour = Behaviour::PAWL_FIRMWARE_BEHAVIOUR;
constexpr std::string_view kFirmwareVersion = PAWL_FIRMWARE_VERSION;
constexpr int kBytesPerRound = 64;     // of the line, so that a chatty peer does not keep the self-tests out
constexpr std::uint32_t kIdleMs = 20;  // a fraction of every time that a Child keeps

class BoardPort final : public ChildPort {
 public:
  void Send(const serial::Frame& frame) override { board::Write(frame); }
  void Print(std::string_view text) override { board::Print(text); }
  void Feed() override { board::FeedWatchdog(); }
};

class UartTest final : public SelfTest {
 public:
  std::string_view name() const override { return "peripheral:uart"; }
  TestOutcome Run(std::uint64_t) override {
    return board::ConsoleAnswers() ? TestOutcome{} : TestOutcome{Verdict::kFail, "does not answer"};
  }
};

void SayHello(const HandOff& hand_off) {
  BoundedText<160> line("\nfirmware ");
  line.append(kFirmwareVersion).append(" on ").append(board::Name()).append(", slot ").append(Text(hand_off.slot));
  line.append(", mode ").append(Text(hand_off.mode)).append(", cause ").append(Text(hand_off.cause));
  if (hand_off.mode == BootMode::kTrial) line.append(", trial ").append_number(hand_off.trial);
  line.append("\n");
  board::Print(line);
}

// The bootloader, which runs from the same ROM, has decoded both.
Rom ReadRom() {
  const Result<KeyTable> anchors = DecodeAnchors(board::AnchorsInRom());
  const Result<RomIdentity> identity = DecodeRomIdentity(board::IdentityInRom());
  if (!anchors || !identity) board::Crash("the ROM's data cannot be read");
  return {.anchors = *anchors, .identity = *identity};
}

Digest RomDigest() {
  crypto::Sha256 hash;
  hash.Update(board::AnchorsInRom());
  hash.Update(board::IdentityInRom());
  return hash.Finish();
}

// False: no more bytes wait.
bool TakeBytes(Child& child) {
  for (int i = 0; i < kBytesPerRound && !child.reset_wanted(); ++i) {
    const std::optional<std::uint8_t> byte = board::ReadByte();
    if (!byte) return false;
    child.Take(*byte, board::Milliseconds());
  }
  return true;
}

[[noreturn]] void Run(Child& child) {
  while (!child.reset_wanted()) {
    const bool more = TakeBytes(child);
    if (child.reset_wanted()) break;
    const bool again = child.Poll(board::Milliseconds());
    if (!more && !again) board::WaitForInput(kIdleMs);
  }
  board::WaitWritten();  // an answer, or why the trial failed
  board::Reset();
}

std::array<std::uint32_t, 1024> g_spare_memory;  // what memory:ram may overwrite

}  // namespace
}  // namespace pawl::firmware

void PawlMain() {
  using namespace pawl;
  using namespace pawl::firmware;
  if constexpr (kBehaviour == Behaviour::kCrashes) __builtin_trap();  // nobody comes here; so nothing else is linked
  board::Start();
  const HandOff hand_off = board::TakeHandOff();
  SayHello(hand_off);
  const Rom rom = ReadRom();
  RecordStore record(board::RecordFlash());
  record.Load();
  BoardPort port;
  UartTest uart;
  AdcTest adc(kBehaviour);
  const std::array<SelfTest*, 2> own_tests = {&uart, &adc};
  Child child({.port = port,
               .hand_off = hand_off,
               .record = record,
               .slots = {&board::SlotFlash(Slot::kA), &board::SlotFlash(Slot::kB)},
               .rom = rom,
               .rom_digest = RomDigest(),
               .own_tests = own_tests,
               .spare_memory = g_spare_memory,
               .start_ticks = board::Ticks()},
              board::Milliseconds());
  Run(child);
}
