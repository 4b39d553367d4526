// The bootloader of a board without operating system: boot/core over boot/port/board.h. From reset to the jump.
#include "boot/core/recheck.h"
#include "boot/port/bare/report.h"
#include "boot/port/bare/runtime.h"
#include "boot/port/board.h"

namespace pawl::bare {
namespace {

// So long recovery waits before it looks again: a read error that passes must not strand a device.
constexpr std::uint64_t kRecoveryMs = 60'000;

// Images are verified in the RAM from which they run, which nothing else can write.
class RamSlots final : public BootSlots {
 public:
  Flash& flash(Slot slot) override { return board::SlotFlash(slot); }

  Result<ByteView> Load(Slot slot, FlashOffset image_bytes) override {
    const MutableBytes memory = board::ImageMemory(slot);
    if (image_bytes > memory.size()) return Fail(Reason::kImageTooLarge, "the image does not fit into its RAM");
    const MutableBytes image = memory.first(image_bytes);
    PAWL_TRY(flash(slot).Read(0, image));
    return ByteView(image);
  }
};

Result<Rom> ReadRom() {
  const ByteView anchors = board::AnchorsInRom();
  const ByteView identity = board::IdentityInRom();
  if (anchors.empty()) return Fail(Reason::kCorrupt, "the trust anchors in ROM are missing or damaged");
  if (identity.empty()) return Fail(Reason::kCorrupt, "the identity in ROM is missing or damaged");
  const auto table = DecodeAnchors(anchors);
  if (!table) return std::unexpected(table.error());
  const auto own = DecodeRomIdentity(identity);
  if (!own) return std::unexpected(own.error());
  return Result<Rom>(std::in_place, *table, *own);
}

// Once more from the sources, so that no single skipped instruction runs what does not hold (boot/core/recheck.h).
void RecheckOrCrash(RecordStore& record, BootSlots& slots, const Booted& booted) {
  const Result<Rom> rom = ReadRom();
  if (rom && Recheck(record, slots, *rom, booted) == kMayRun) return;
  board::Crash("the chosen image does not hold at the second look");
}

[[noreturn]] void WaitAndReset() {
  const std::uint64_t start = board::Milliseconds();
  while (board::Milliseconds() - start < kRecoveryMs) {
    board::FeedWatchdog();
    board::WaitForInput(1000);
  }
  board::Reset();
}

}  // namespace
}  // namespace pawl::bare

void PawlMain() {
  using namespace pawl;
  board::Start();
  board::GuardBootloader();
  board::ForbidExecution();
  const ResetCause cause = board::TakeResetCause();
  bare::ReportStart(cause);
  const Result<Rom> rom = bare::ReadRom();
  if (!rom) {
    bare::ReportRefused(rom.error());
    bare::WaitAndReset();
  }
  RecordStore record(board::RecordFlash());
  bare::RamSlots slots;
  const Booted booted = Boot(record, slots, *rom, cause, board::WatchdogMs());
  bare::Report(booted);
  if (!booted.image) bare::WaitAndReset();
  board::LeaveHandOff(booted.hand_off);
  bare::RecheckOrCrash(record, slots, booted);
  board::ArmWatchdog();
  board::Jump(booted.image->image());
}
