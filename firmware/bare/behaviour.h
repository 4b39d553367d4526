// What an example firmware does: the good one, and the bad ones that are there to be caught.
#pragma once

#include "firmware/bare/self_test.h"

namespace pawl::firmware {

enum class Behaviour : std::uint8_t {
  kGood,
  kSelfTestFails,  // a peripheral does not come up
  kHangs,          // its driver never returns
  kCrashes,        // in the image's first instruction: first_instruction_traps.S
  kNeverConfirms,  // a peripheral that is never ready, and says so for ever
};

// The stand-in for a driver of an analogue-digital converter.
class AdcTest final : public SelfTest {
 public:
  explicit AdcTest(Behaviour behaviour) : behaviour_(behaviour) {}
  std::string_view name() const override { return "peripheral:adc"; }
  TestOutcome Run(std::uint64_t) override {
    if (behaviour_ == Behaviour::kSelfTestFails) return {Verdict::kFail, "reads 0 mV"};
    if (behaviour_ == Behaviour::kNeverConfirms) return {Verdict::kAgain, "the reference settles"};
    while (behaviour_ == Behaviour::kHangs) {
    }
    return {};
  }

 private:
  const volatile Behaviour behaviour_;  // volatile: a loop without effect may be optimised away
};

}  // namespace pawl::firmware
