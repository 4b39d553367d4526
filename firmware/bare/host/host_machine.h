// A machine on the host: the real bootloader core over some flash, and then the real firmware logic. What hardware does
// (power, watchdog, line) is its owner's. For tests, also of a gateway.
//
// Images  any bytes. One that begins with a line of HostImage behaves so; every other one is good.
#pragma once

#include <optional>
#include <vector>

#include "boot/core/boot.h"
#include "firmware/bare/behaviour.h"
#include "firmware/bare/child.h"

namespace pawl::firmware {

// An image for a HostMachine: a line that names the behaviour, then `bytes` in all, the rest made of `filler`.
std::vector<std::uint8_t> HostImage(Behaviour behaviour, std::size_t bytes, std::uint8_t filler);
Behaviour BehaviourOf(ByteView image);

class HostMachine {
 public:
  // Lifetime: all that is referred to outlives the machine.
  struct Setup {
    Flash& record;
    std::array<Flash*, 2> slots;
    Rom rom;
    Digest rom_digest{};
    std::uint32_t watchdog_ms = 3000;
    TestLimits limits;
  };
  HostMachine(const Setup& setup, ChildPort& port) : setup_(setup), port_(port) {}

  // From reset to the jump. Whatever ran before is gone.
  void Start(ResetCause cause, std::uint64_t now_ms);

  // What runs. Nothing: recovery, or the image crashed at once, or it hangs.
  Child* child() { return hangs_ || !child_ ? nullptr : &*child_; }
  const std::optional<Booted>& booted() const { return booted_; }
  Behaviour behaviour() const { return behaviour_; }
  // The image called a driver that does not return. The owner's watchdog ends it.
  bool hangs() const { return hangs_; }
  RecordStore& record() { return *record_; }

 private:
  Setup setup_;
  ChildPort& port_;
  std::optional<RecordStore> record_;
  std::optional<Booted> booted_;
  Behaviour behaviour_ = Behaviour::kGood;
  bool hangs_ = false;
  std::uint64_t starts_ = 0;
  std::optional<AdcTest> adc_;
  std::array<SelfTest*, 1> own_tests_{};
  std::array<std::uint32_t, 256> spare_memory_{};
  std::optional<Child> child_;
};

}  // namespace pawl::firmware
