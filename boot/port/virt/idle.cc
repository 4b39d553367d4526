// Waiting without burning the core: WFI, until the UART or the generic timer raises its interrupt line. The core's own
// interrupts stay off, so nothing is taken and nothing needs a handler; a pending line alone ends WFI.
#include "boot/port/virt/parts.h"

namespace pawl::board {
namespace {

// GIC version 2: distributor and core interface.
constexpr std::uint32_t kGicOn = kGic + 0x000;
constexpr std::uint32_t kGicEnable = kGic + 0x100;  // a bit for each interrupt
constexpr std::uint32_t kGicCoreOn = kGic + 0x10000;
constexpr std::uint32_t kGicCorePriority = kGic + 0x10004;
constexpr std::uint32_t kTimerBit = 1U << 30;  // interrupt 30, of this core
constexpr std::uint32_t kUartBit = 1U << 1;    // interrupt 33, shared

constexpr std::uint32_t kUartMask = kUart + 0x38;
constexpr std::uint32_t kUartReceived = (1U << 4) | (1U << 6);  // a byte, or bytes that wait

void SetTimer(std::uint32_t ticks, std::uint32_t on) {
  asm volatile("mcr p15, 0, %0, c14, c2, 0" ::"r"(ticks));     // CNTP_TVAL
  asm volatile("mcr p15, 0, %0, c14, c2, 1\n isb" ::"r"(on));  // CNTP_CTL
}

}  // namespace

void StartIdle() {
  Register(kUartMask) = kUartReceived;
  Register(kGicEnable) = kTimerBit;
  Register(kGicEnable + 4) = kUartBit;
  Register(kGicOn) = 1;
  Register(kGicCorePriority) = 0xff;
  Register(kGicCoreOn) = 1;
}

void WaitForInput(std::uint32_t milliseconds) {
  SetTimer(milliseconds * TicksPerMillisecond(), 1);
  asm volatile("dsb\n wfi" ::: "memory");
  SetTimer(0, 0);
}

}  // namespace pawl::board
