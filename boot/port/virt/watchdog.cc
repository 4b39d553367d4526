// i6300esb on the PCI bus: two stages that count down one after the other, then a reset.
#include "boot/port/virt/parts.h"

namespace pawl::board {
namespace {

constexpr std::uint32_t kConfig = kPciConfig + (1U << 15);  // bus 0, device 1
constexpr std::uint32_t kIdentity = 0x25ab8086;
constexpr std::uint32_t kCommand = kConfig + 0x04;
constexpr std::uint32_t kBar0 = kConfig + 0x10;
constexpr std::uint32_t kSetup = kConfig + 0x60;
constexpr std::uint32_t kLock = kConfig + 0x68;

constexpr std::uint16_t kAnswerMemory = 0x0002;
constexpr std::uint16_t kNoInterruptSlowClock = 0x0003;  // a tick is 2^15 / 33 MHz
constexpr std::uint8_t kEnableAndLock = 0x03;            // nothing but a reset switches it off again

constexpr std::uint32_t kTimer1 = kPciMemory;
constexpr std::uint32_t kTimer2 = kPciMemory + 4;
constexpr std::uint32_t kReload = kPciMemory + 0xc;
constexpr std::uint16_t kReloadNow = 0x0100;
constexpr std::uint16_t kTimedOut = 0x0200;  // survives the reset that it made; cleared by writing it

constexpr std::uint32_t kMaxTicks = 0xFFFFF;

// Two looks at two images of 8 MiB: a few seconds, where a second has its 300 M instructions.
constexpr std::uint32_t kBootloaderMs = 120'000;

void Unlock() {
  Register16(kReload) = 0x80;
  Register16(kReload) = 0x86;
}

// Each stage counts half of the window.
std::uint32_t StageTicks(std::uint32_t window_ms) {
  const std::uint64_t ticks = std::uint64_t{window_ms} * 33000 / (2U << 15);
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(ticks, 1, kMaxTicks));
}

}  // namespace

void StartWatchdog() {
  if (Register(kConfig) != kIdentity) Crash("no watchdog on the bus (QEMU: -device i6300esb,addr=1)");
  Register(kBar0) = kPciMemory;
  Register16(kCommand) = kAnswerMemory;
}

bool TakeWatchdogFired() {
  if ((Register16(kReload) & kTimedOut) == 0) return false;
  Unlock();
  Register16(kReload) = kTimedOut;
  return true;
}

void GuardBootloader() { StartWatchdogFor(kBootloaderMs); }

void StartWatchdogFor(std::uint32_t window_ms) {
  const std::uint32_t ticks = StageTicks(window_ms);
  Register16(kSetup) = kNoInterruptSlowClock;
  Unlock();
  Register(kTimer1) = ticks;
  Unlock();
  Register(kTimer2) = ticks;
  Register8(kLock) = kEnableAndLock;
  FeedWatchdog();
}

void FeedWatchdog() {
  Unlock();
  Register16(kReload) = kReloadNow;
}

}  // namespace pawl::board
