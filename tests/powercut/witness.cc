#include "tests/powercut/witness.h"

#include <cstring>

namespace pawl::powercut {
namespace {

BootRecord Numbered(BootRecord record, std::uint32_t sequence) {
  record.sequence = sequence;
  return record;
}

}  // namespace

void Witness::Found(const RecordState& found) {
  const bool is_next = committing_ && found.kind == RecordKind::kValid &&
                       found.record == Numbered(next_, kind_ == RecordKind::kValid ? acted_.sequence + 1 : 1);
  if (kind_ == RecordKind::kValid) {
    const bool as_acted = found.kind == RecordKind::kValid && found.record == acted_;
    Require(as_acted || is_next, "I1: the state that was acted on has changed");
  } else if (kind_ == RecordKind::kLost) {
    Require(found.kind == RecordKind::kLost || is_next, "I1: a lost record was taken for a new device's");
  } else {
    // A first commit that was cut may look lost: the device says so, and goes on.
    Require(found.kind != RecordKind::kValid || is_next, "I1: a record that nobody wrote");
  }
  if (broken_ != nullptr) return;
  if (found.kind == RecordKind::kValid) return BecomesCertain(found.record);
  kind_ = found.kind;
  committing_ = false;
}

void Witness::Begins(const BootRecord& next) {
  next_ = next;
  committing_ = true;
}

void Witness::Committed(const BootRecord& stored) {
  Require(Numbered(stored, 0) == Numbered(next_, 0), "I1: another state was stored than the one committed");
  if (broken_ == nullptr) BecomesCertain(stored);
}

void Witness::BecomesCertain(const BootRecord& record) {
  if (kind_ == RecordKind::kValid) {
    Require(record.floor >= acted_.floor, "I5: the floor fell");
    HoldTrialTo(record);
  }
  kind_ = RecordKind::kValid;
  acted_ = record;
  committing_ = false;
}

void Witness::HoldTrialTo(const BootRecord& record) {
  if (record.trial != acted_.trial) {
    Require(record.trial == acted_.trial + 1 && record.pending, "I5: trial numbers went back or were skipped");
    Require(!acted_.owed && !acted_.pending, "I4: a trial began before the last one was settled");
    attempts_ = power_attempts_ = 0;
    confirming_ = settling_ = ended_ = false;
    return;
  }
  if (record.trial == 0) return;
  Require(record.job == acted_.job && record.trial_digest == acted_.trial_digest, "I4: the trial's numbers changed");
  if (record.pending) return Require(!ended_, "I5: a trial that had ended is pending again");
  if (!ended_ && acted_.pending && record.confirmed == *acted_.pending && !record.owed) {
    Require(confirming_, "I4: a trial counts as confirmed that nobody confirmed");
  } else if (!ended_) {
    Require(record.owed && record.reason != Reason::kNone, "I4: a rollback was forgotten");
  } else if (acted_.owed && !record.owed) {
    Require(settling_, "I4: a rollback was forgotten");
  } else {
    Require(record.owed == acted_.owed, "I4: a settled rollback is owed again");
  }
  ended_ = true;
}

void Witness::Jumps(const Booted& boot, bool released) {
  if (!boot.image) return Breaks("I2: there is nothing to boot");
  Require(boot.image->slot() == boot.hand_off.slot && boot.settled.decision.slot == boot.hand_off.slot,
          "I2: another slot runs than the one decided on");
  Require(released, "I2: what runs was not released");
  Require(boot.hand_off.security_version >= acted_.floor, "I5: what runs is below the floor");
  if (boot.hand_off.mode != BootMode::kTrial) {
    Require(!acted_.pending, "I3: a trial runs that is not called one");
    Require(boot.hand_off.slot == acted_.confirmed, "I2: the slot that runs is not the confirmed one");
    Require((boot.hand_off.mode == BootMode::kNormal) == acted_.proven, "I2: the mode is not what the record says");
    return;
  }
  Require(boot.hand_off.slot == acted_.pending && boot.hand_off.trial == acted_.trial && acted_.reason == Reason::kNone,
          "I3: an attempt at another trial than the record's");
  Attempts(boot.settled.decision.row());
  Require(acted_.started && acted_.attempts_left + attempts_ <= kMaxAttempts &&
              acted_.power_attempts_left + power_attempts_ <= kMaxPower,
          "I3: an attempt that is not in the record");
}

void Witness::Attempts(BootRow row) {
  ++(row == BootRow::kB5 ? power_attempts_ : attempts_);
  Require(attempts_ <= kMaxAttempts && power_attempts_ <= kMaxPower, "I3: too many attempts");
}

std::uint64_t Witness::Fingerprint() const {
  std::uint64_t all = static_cast<std::uint64_t>(kind_) | std::uint64_t{attempts_} << 8 |
                      std::uint64_t{power_attempts_} << 16 | std::uint64_t{committing_} << 24 |
                      std::uint64_t{confirming_} << 25 | std::uint64_t{settling_} << 26 | std::uint64_t{ended_} << 27;
  all = Mixed(all, FingerprintOf(acted_));
  return committing_ ? Mixed(all, FingerprintOf(next_)) : all;
}

std::uint64_t FingerprintOf(const BootRecord& r) {
  const std::uint64_t flags = static_cast<std::uint64_t>(Slot{r.confirmed}) | std::uint64_t{bool{r.proven}} << 1 |
                              std::uint64_t{bool{r.started}} << 2 | std::uint64_t{bool{r.owed}} << 3 |
                              std::uint64_t{r.pending ? 1U + static_cast<unsigned>(*r.pending) : 0U} << 4 |
                              std::uint64_t{r.attempts_left} << 8 | std::uint64_t{r.power_attempts_left} << 16 |
                              std::uint64_t{static_cast<std::uint16_t>(r.reason)} << 32 |
                              std::uint64_t{static_cast<std::uint16_t>(r.emergency_reason)} << 48;
  std::uint64_t all = Mixed(flags, std::uint64_t{r.sequence} << 32 | r.trial);
  all = Mixed(all, r.job ^ std::uint64_t{r.emergency_count} << 48 ^ std::uint64_t{r.floor} << 32);
  std::uint64_t digest = 0;
  std::memcpy(&digest, r.trial_digest.data(), sizeof(digest));
  all = Mixed(all, digest);
  for (const char c : r.detail.view()) all = all * 131 + static_cast<unsigned char>(c);
  return all;
}

}  // namespace pawl::powercut
