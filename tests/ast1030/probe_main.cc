// An image for tests of the port: does what single letters on the console tell it, and feeds the watchdog while it
// waits. Runs no self-tests: what it confirms, the test asked for.
//
//   c  confirm             p  set the other slot pending       f  fail the trial
//   r  software reset      h  hang, feeding nobody             x  crash
//   n  hold driver and chip against the rules of NOR, in a sector that nobody uses
#include "boot/port/ast1030/memory.h"
#include "boot/port/ast1030/registers.h"
#include "boot/port/ast1030/spi_nor.h"
#include "boot/port/bare/runtime.h"
#include "boot/port/board.h"
#include "slots/record_store.h"
#include "slots/slot.h"
#include "trust/manifest/manifest.h"

namespace pawl {
namespace {

constexpr std::uint32_t kSpareAt = 0x10'0000;  // behind both slots

void Say(std::string_view what, const Status& status) {
  board::Print("probe: ");
  board::Print(what);
  board::Print(status ? " done" : " refused: ");
  if (!status) board::Print(Text(status.error().reason));
  board::Print("\n");
}

class Image {
 public:
  Image() : hand_off_(board::TakeHandOff()), store_(board::RecordFlash()) { store_.Load(); }

  void Greet() const {
    BoundedText<120> text("probe: slot ");
    text.append(Text(hand_off_.slot)).append(", mode ").append(Text(hand_off_.mode));
    text.append(", cause ").append(Text(hand_off_.cause)).append(", trial ").append_number(hand_off_.trial);
    board::Print(text.append("\n"));
  }
  Status Confirm() { return Commit(pawl::Confirm(store_.state().record, hand_off_.slot)); }
  Status FailTrial() {
    return Commit(pawl::FailTrial(store_.state().record, hand_off_.slot, Reason::kSelfTestFailed, "asked for"));
  }
  Status SetPending() {
    static SlotTrailer trailer;
    const Slot other = Other(hand_off_.slot);
    PAWL_ASSIGN(const ByteView envelope, ReadEnvelope(board::SlotFlash(other), trailer));
    PAWL_ASSIGN(const EnvelopeView view, DecodeEnvelope(envelope));
    return Commit(pawl::SetPending(store_.state().record, hand_off_.slot,
                                   {.slot = other, .job = 7, .manifest_digest = view.digest}));
  }

 private:
  Status Commit(const Result<BootRecord>& next) {
    PAWL_TRY(next);
    return store_.Commit(*next);
  }

  HandOff hand_off_;
  RecordStore store_;
};

// The chip's own command, past the driver.
void ProgramRaw(std::uint32_t address, std::uint8_t byte) {
  constexpr std::uintptr_t kControl = 0x7E62'0010;
  constexpr std::uintptr_t kWindow = 0x8000'0000;
  const auto send = [](std::initializer_list<std::uint8_t> bytes) {
    board::Register(kControl) = 3;
    for (const std::uint8_t one : bytes) board::ByteRegister(kWindow) = one;
    board::Register(kControl) = 7;
  };
  send({0x06});
  send({0x02, static_cast<std::uint8_t>(address >> 16), static_cast<std::uint8_t>(address >> 8),
        static_cast<std::uint8_t>(address), byte});
}

// What the flash's byte is after each step: erased, 0F programmed, F0 refused by the driver, F0 forced on the chip.
// What lies outside the region is refused too.
Status HoldNor() {
  board::SpiNorRegion spare(kSpareAt, board::memory::kSectorBytes);
  std::uint8_t byte = 0;
  const MutableBytes one(&byte, 1);
  const std::uint8_t low = 0x0F;
  const std::uint8_t high = 0xF0;
  PAWL_TRY(spare.Erase(0));
  PAWL_TRY(spare.Read(0, one));
  if (byte != 0xFF) return Fail(Reason::kCorrupt);
  PAWL_TRY(spare.Program(0, {&low, 1}));
  if (spare.Program(0, {&high, 1})) return Fail(Reason::kNotAllowed);
  const FlashOffset end = spare.bytes();
  if (spare.Program(end, {&low, 1}) || spare.Read(end, one) || spare.Erase(1)) return Fail(Reason::kNotAllowed);
  PAWL_TRY(spare.Read(0, one));
  if (byte != low) return Fail(Reason::kCorrupt);
  ProgramRaw(kSpareAt, high);
  PAWL_TRY(spare.Read(0, one));
  return byte == 0 ? Status{} : Fail(Reason::kCorrupt);
}

void Obey(Image& image, std::uint8_t letter) {
  switch (letter) {
    case 'c':
      return Say("confirm", image.Confirm());
    case 'p':
      return Say("set pending", image.SetPending());
    case 'f':
      return Say("fail trial", image.FailTrial());
    case 'n':
      return Say("NOR", HoldNor());
    case 'r':
      board::Reset();
    case 'h':
      for (;;) {
      }
    case 'x':
      asm volatile("udf #0");
      return;
    default:
      return;
  }
}

}  // namespace
}  // namespace pawl

void PawlMain() {
  using namespace pawl;
  board::Start();
  Image image;
  image.Greet();
  for (;;) {
    board::FeedWatchdog();
    if (const auto letter = board::ReadByte()) Obey(image, *letter);
  }
}
