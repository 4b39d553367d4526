// PL011 UART, without interrupts; the generic timer as clock.
#include "boot/port/virt/parts.h"

namespace pawl::board {
namespace {

constexpr std::uint32_t kData = kUart;
constexpr std::uint32_t kFlags = kUart + 0x18;
constexpr std::uint32_t kFlagReceiveEmpty = 1U << 4;
constexpr std::uint32_t kFlagTransmitFull = 1U << 5;

std::uint64_t Ticks() {
  std::uint64_t ticks = 0;
  asm volatile("isb\n mrrc p15, 0, %Q0, %R0, c14" : "=r"(ticks));  // CNTPCT
  return ticks;
}

std::uint32_t TicksPerMillisecond() {
  std::uint32_t hertz = 0;
  asm volatile("mrc p15, 0, %0, c14, c0, 0" : "=r"(hertz));  // CNTFRQ
  return hertz / 1000;
}

std::uint64_t g_started = 0;

}  // namespace

void StartConsole() {
  g_started = Ticks();
  Register(kUart + 0x24) = 13;  // 115200 baud of 24 MHz
  Register(kUart + 0x28) = 1;
  Register(kUart + 0x2c) = 0x70;   // 8 bits, no parity, FIFO
  Register(kUart + 0x30) = 0x301;  // on, both ways
}

void Write(ByteView bytes) {
  for (const std::uint8_t byte : bytes) {
    while ((Register(kFlags) & kFlagTransmitFull) != 0) {
    }
    Register(kData) = byte;
  }
}

std::optional<std::uint8_t> ReadByte() {
  if ((Register(kFlags) & kFlagReceiveEmpty) != 0) return std::nullopt;
  return static_cast<std::uint8_t>(Register(kData));
}

std::uint64_t Milliseconds() { return (Ticks() - g_started) / TicksPerMillisecond(); }

}  // namespace pawl::board
