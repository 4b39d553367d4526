// UART 5 (16550) and timer 1.
#include "boot/port/ast1030/parts.h"
#include "boot/port/ast1030/registers.h"
#include "boot/port/board.h"

namespace pawl::board {
namespace {

constexpr std::uintptr_t kUart = 0x7E78'4000;
constexpr std::uintptr_t kUartData = kUart + 0x00;
constexpr std::uintptr_t kUartLineStatus = kUart + 0x14;
constexpr std::uint32_t kUartReceived = 1U << 0;
constexpr std::uintptr_t kUartScratch = kUart + 0x1C;
constexpr std::uint32_t kUartRoom = 1U << 5;
constexpr std::uint32_t kUartEmpty = 1U << 6;  // the last bit has left

constexpr std::uintptr_t kTimer = 0x7E78'2000;
constexpr std::uintptr_t kTimerCount = kTimer + 0x00;  // counts down, begins again at the reload value
constexpr std::uintptr_t kTimerReload = kTimer + 0x04;
constexpr std::uintptr_t kTimerControl = kTimer + 0x30;
constexpr std::uint32_t kTimerAtOneMegahertz = 3;  // enabled, external clock

constinit std::uint32_t last_count = 0;
constinit std::uint64_t microseconds = 0;
// Counted, not divided: the compiler's division of 64 bits costs 700 bytes.
constinit std::uint64_t milliseconds = 0;
constinit std::uint32_t rest = 0;  // microseconds beyond these

}  // namespace

void StartClock() {
  Register(kTimerControl) = 0;
  Register(kTimerReload) = ~std::uint32_t{0};
  Register(kTimerControl) = kTimerAtOneMegahertz;
  last_count = Register(kTimerCount);
  microseconds = milliseconds = rest = 0;
}

// The counter wraps after 71 minutes: to be asked more often than that.
std::uint64_t Ticks() {
  const std::uint32_t count = Register(kTimerCount);
  const std::uint32_t passed = last_count - count;
  last_count = count;
  microseconds += passed;
  rest += passed % 1000;
  milliseconds += passed / 1000 + rest / 1000;
  rest %= 1000;
  return microseconds;
}
std::uint64_t Milliseconds() {
  Ticks();
  return milliseconds;
}

void Write(ByteView bytes) {
  for (const std::uint8_t byte : bytes) {
    while ((Register(kUartLineStatus) & kUartRoom) == 0) {
    }
    Register(kUartData) = byte;
  }
}

std::optional<std::uint8_t> ReadByte() {
  if ((Register(kUartLineStatus) & kUartReceived) == 0) return std::nullopt;
  return static_cast<std::uint8_t>(Register(kUartData));
}

void WaitForInput(std::uint32_t) {}  // interrupts are not set up; the caller looks again

void WaitWritten() {
  while ((Register(kUartLineStatus) & kUartEmpty) == 0) {
  }
}

bool ConsoleAnswers() {
  for (const std::uint32_t pattern : {0x5AU, 0xA5U}) {
    Register(kUartScratch) = pattern;
    if (Register(kUartScratch) != pattern) return false;
  }
  return true;
}

}  // namespace pawl::board
