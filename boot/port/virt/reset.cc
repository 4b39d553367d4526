// Why this start happened, and how the next one is made. The board has no register for the cause: words in RAM, which
// survive a reset and not a loss of power, say it; for the watchdog its own flag does.
#include "base/text.h"
#include "boot/port/virt/parts.h"

namespace pawl::board {
namespace {

constexpr std::uint32_t kMagic = 0x31575250;        // "PRW1"
constexpr std::uint32_t kSystemReset = 0x84000009;  // PSCI

struct Retained {
  volatile std::uint32_t magic;
  volatile std::uint32_t cause;
  volatile std::uint32_t inverse;  // of cause
};
Retained& Words() { return *reinterpret_cast<Retained*>(kRetained); }

void Retain(ResetCause cause) {
  const auto word = static_cast<std::uint32_t>(cause);
  Words().cause = word;
  Words().inverse = ~word;
  Words().magic = kMagic;
}

// Power: the RAM was without it. Watchdog: it was armed over an image.
ResetCause RetainedCause() {
  const std::uint32_t cause = Words().cause;
  if (Words().magic != kMagic || Words().inverse != ~cause) return ResetCause::kPower;
  for (const ResetCause announced : {ResetCause::kWatchdog, ResetCause::kSoftware}) {
    if (cause == static_cast<std::uint32_t>(announced)) return announced;
  }
  return ResetCause::kOther;
}

[[noreturn]] void SystemReset() {
  register std::uint32_t function asm("r0") = kSystemReset;
  asm volatile(".arch_extension virt\n hvc #0" ::"r"(function) : "memory");
  StartWatchdogFor(1);  // should the call return
  for (;;) {
  }
}

}  // namespace

ResetCause TakeResetCause() {
  const ResetCause retained = RetainedCause();
  Retain(ResetCause::kOther);  // for a reset that nobody announces
  const bool fired = TakeWatchdogFired();
  if (retained == ResetCause::kSoftware || retained == ResetCause::kOther) return retained;
  if (fired) return ResetCause::kWatchdog;  // which says more than words that an image may have overwritten
  return retained == ResetCause::kWatchdog ? ResetCause::kOther : retained;
}

void ArmWatchdog() {
  Retain(ResetCause::kWatchdog);
  StartWatchdogFor(WatchdogMs());
}

void Reset() {
  Retain(ResetCause::kSoftware);
  SystemReset();
}

void Crash(std::string_view what) {
  Print("\ncrash: ");
  Print(what);
  Print("\n");
  Retain(ResetCause::kOther);
  SystemReset();
}

}  // namespace pawl::board

// From vectors.S. In the bootloader this one also serves an image that has not set vectors of its own.
extern "C" [[noreturn]] void PawlException(std::uint32_t kind, std::uint32_t at) {
  using namespace pawl;
  constexpr std::array<std::string_view, 6> kKinds = {"undefined instruction",     "unexpected call",
                                                      "instruction fetch refused", "data access refused",
                                                      "unexpected interrupt",      "unexpected interrupt"};
  std::array<std::uint8_t, 4> bytes{};
  std::array<char, 8> hex{};
  StoreBe(MutableBytes(bytes), at);
  BoundedText<80> text(kKinds[kind % kKinds.size()]);
  text.append(" at 0x").append(HexEncode(bytes, hex));
  board::Crash(text);
}
