// The witness of one device: remembers, outside of it, what it acted on and what it owes, and says what it broke.
//
// Invariants (docs/spec/boot.md)
//   I1  What was acted on never changes: the next record found is that one, or the one whose commit was under way.
//   I2  There is always a slot to boot, and what runs is, byte for byte, an image that was released.
//   I3  An attempt is in the record before it is made; never more than kMaxAttempts, and kMaxPower after power losses.
//   I4  A trial that was not confirmed ends as owed, with its own numbers and digest, and stays so until F4 is begun.
//   I5  A trial ends once; trial numbers and the floor never go back; nothing below the floor runs.
//   I6  An envelope never stands beside an image that is not its own, unless that image rotted.
#pragma once

#include "boot/core/boot.h"

namespace pawl::powercut {

class Witness {
 public:
  // What the device is before its first boot.
  explicit Witness(const RecordState& before) : kind_(before.kind), acted_(before.record) {}

  // Load returned this with the power on.
  void Found(const RecordState& found);
  // This commit begins; it may or may not be found after a cut.
  void Begins(const BootRecord& next);
  // It returned: `stored` is acted on from now on.
  void Committed(const BootRecord& stored);
  // The firmware is about to begin F2, F4.
  void Confirms() { confirming_ = true; }
  void Settles() { settling_ = true; }
  // The bootloader jumps. `released`: what runs is, byte for byte, a released image.
  void Jumps(const Booted& boot, bool released);
  // An attempt is made, by this row.
  void Attempts(BootRow row);
  void Breaks(const char* invariant) {
    if (broken_ == nullptr) broken_ = invariant;
  }

  const char* broken() const { return broken_; }  // the first invariant that broke; null: none
  const BootRecord& acted() const { return acted_; }
  std::uint32_t trials() const { return acted_.trial; }
  std::uint64_t Fingerprint() const;  // of all that decides what it says next

 private:
  void Require(bool holds, const char* invariant) {
    if (!holds) Breaks(invariant);
  }
  void BecomesCertain(const BootRecord& record);
  void HoldTrialTo(const BootRecord& record);

  RecordKind kind_;  // valid: acted_ holds
  BootRecord acted_;
  BootRecord next_;  // the commit under way; acted_ if there is none
  bool committing_ = false;
  // Of the newest trial:
  std::uint8_t attempts_ = 0;
  std::uint8_t power_attempts_ = 0;
  bool confirming_ = false;  // F2 was begun in it
  bool settling_ = false;    // F4 was begun with its numbers
  bool ended_ = false;
  const char* broken_ = nullptr;
};

std::uint64_t FingerprintOf(const BootRecord& record);
constexpr std::uint64_t Mixed(std::uint64_t a, std::uint64_t b) {
  std::uint64_t x = (a ^ (b + 0x9E3779B97F4A7C15 + (a << 6) + (a >> 2))) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 29)) * 0x94D049BB133111EB;
  return x ^ (x >> 32);
}

}  // namespace pawl::powercut
