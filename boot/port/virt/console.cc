// PL011 UART, without interrupts; the generic timer as clock.
#include "boot/port/virt/parts.h"

namespace pawl::board {
namespace {

constexpr std::uint32_t kData = kUart;
constexpr std::uint32_t kFlags = kUart + 0x18;
constexpr std::uint32_t kFlagBusy = 1U << 3;
constexpr std::uint32_t kFlagReceiveEmpty = 1U << 4;
constexpr std::uint32_t kFlagTransmitFull = 1U << 5;

// The last four of its identification registers: every PrimeCell has them.
constexpr std::uint32_t kCellId = kUart + 0xff0;
constexpr std::array<std::uint8_t, 4> kPrimeCell = {0x0d, 0xf0, 0x05, 0xb1};

std::uint64_t g_started = 0;

}  // namespace

std::uint32_t TicksPerMillisecond() {
  std::uint32_t hertz = 0;
  asm volatile("mrc p15, 0, %0, c14, c0, 0" : "=r"(hertz));  // CNTFRQ
  return hertz / 1000;
}

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

void WaitWritten() {
  while ((Register(kFlags) & kFlagBusy) != 0) {
  }
}

bool ConsoleAnswers() {
  for (std::uint32_t i = 0; i < kPrimeCell.size(); ++i) {
    if (Register(kCellId + 4 * i) != kPrimeCell[i]) return false;
  }
  return (Register(kFlags) & kFlagTransmitFull) == 0;
}

std::uint64_t Ticks() {
  std::uint64_t ticks = 0;
  asm volatile("isb\n mrrc p15, 0, %Q0, %R0, c14" : "=r"(ticks));  // CNTPCT
  return ticks;
}

std::uint64_t Milliseconds() { return (Ticks() - g_started) / TicksPerMillisecond(); }

}  // namespace pawl::board
