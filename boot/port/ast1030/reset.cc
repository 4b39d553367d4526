// Watchdog, reset, the reset's cause, and the jump into the image.
#include "boot/port/ast1030/memory.h"
#include "boot/port/ast1030/parts.h"
#include "boot/port/ast1030/registers.h"
#include "boot/port/board.h"

namespace pawl::board {
namespace {

constexpr std::uintptr_t kWatchdog = 0x7E78'5000;
constexpr std::uintptr_t kWatchdogReload = kWatchdog + 0x04;
constexpr std::uintptr_t kWatchdogRestart = kWatchdog + 0x08;
constexpr std::uintptr_t kWatchdogControl = kWatchdog + 0x0C;
constexpr std::uint32_t kWatchdogFeed = 0x4755;
constexpr std::uint32_t kWatchdogOn = 0x13;  // at 1 MHz, resets the system, enabled

// Two looks at two images of 256 KiB over SPI, byte by byte: seconds.
constexpr std::uint32_t kBootloaderMs = 60'000;

constexpr std::uintptr_t kResetControl = 0xE000'ED0C;  // AIRCR
constexpr std::uint32_t kRequestReset = 0x05FA'0004;

// RAM keeps its contents over a reset, but not without power. QEMU's watchdog has no register that tells a time-out, so
// a note here says what may reset the machine next; any other word means that power was away.
constexpr std::uint32_t kWatchdogArmed = 0x57A7'C4D0;
constexpr std::uint32_t kSoftwareReset = 0x50F7'3E5E;
constexpr std::uint32_t kCrashReset = 0xFA17'0BAD;
volatile std::uint32_t& next_reset() { return Register(memory::kNextResetAt); }
MutableBytes hand_off_room() { return {reinterpret_cast<std::uint8_t*>(memory::kHandOffAt), sizeof(HandOffPacket)}; }

[[noreturn]] void ResetAs(std::uint32_t note) {
  next_reset() = note;
  asm volatile("dsb" ::: "memory");
  Register(kResetControl) = kRequestReset;
  for (;;) {
  }
}

}  // namespace

ResetCause TakeResetCause() {
  const std::uint32_t note = next_reset();
  next_reset() = kCrashReset;  // for a reset that nobody announces
  if (note == kWatchdogArmed) return ResetCause::kWatchdog;
  if (note == kSoftwareReset) return ResetCause::kSoftware;
  if (note == kCrashReset) return ResetCause::kOther;
  return ResetCause::kPower;
}

void StartWatchdogFor(std::uint32_t window_ms) {
  Register(kWatchdogReload) = window_ms * 1000;
  FeedWatchdog();
  Register(kWatchdogControl) = kWatchdogOn;
}

void GuardBootloader() { StartWatchdogFor(kBootloaderMs); }

void ArmWatchdog() {
  next_reset() = kWatchdogArmed;
  StartWatchdogFor(WatchdogMs());
}

void FeedWatchdog() { Register(kWatchdogRestart) = kWatchdogFeed; }

void Reset() { ResetAs(kSoftwareReset); }

void Crash(std::string_view what) {
  Print(what);
  Print("\n");
  ResetAs(kCrashReset);
}

void LeaveHandOff(const HandOff& hand_off) { std::ranges::copy(EncodeHandOff(hand_off), hand_off_room().begin()); }

// This core has no caches: what was written is what is fetched.
void Jump(ByteView image) {
  const std::uintptr_t thumb = reinterpret_cast<std::uintptr_t>(image.data()) | 1;
  Register(kMpuControl) = 0;
  asm volatile("dsb\n isb\n bx %0" ::"r"(thumb) : "memory");
  __builtin_unreachable();
}

HandOff TakeHandOff() {
  const Result<HandOff> hand_off = DecodeHandOff(hand_off_room());
  if (!hand_off) Crash("there is no hand-off");
  return *hand_off;
}

}  // namespace pawl::board

// A fault of bootloader or image. There is nobody to repair it, so the machine starts again at once: an image that
// crashes is told from one that hangs.
extern "C" [[noreturn]] void PawlFault() { pawl::board::ResetAs(pawl::board::kCrashReset); }
