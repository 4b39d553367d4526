#include "boot/core/decide.h"

namespace pawl {
namespace {

// The record while the rows are gone through.
class Deciding {
 public:
  Deciding(const BootRecord& record, const BootFacts& facts) : facts_(facts) { decision_.next = record; }

  BootDecision FromValid() {
    const BootRecord found = record();
    Normalise();
    const bool trial = record().pending && DecideTrial(*record().pending);
    if (!trial) DecideConfirmed();
    decision_.commit = record() != found;
    return decision_;
  }

  BootDecision FromNothing(bool lost) {
    const std::optional<Slot> slot = LowerSequence();
    if (!slot) {
      Apply(BootRow::kB0);
      return decision_;
    }
    Apply(lost ? BootRow::kB2 : BootRow::kB1);
    record() = {};
    record().confirmed = *slot;
    if (lost) AddEmergency(Reason::kRecordLost);
    Run(*slot, BootMode::kUnproven);
    decision_.commit = true;
    return decision_;
  }

 private:
  BootRecord& record() { return decision_.next; }
  void Apply(BootRow row) { decision_.rows.push_back(row); }
  void Run(Slot slot, BootMode mode) {
    decision_.slot = slot;
    decision_.mode = mode;
  }
  void AddEmergency(Reason reason) {
    record().emergency_reason = reason;
    if (record().emergency_count < 0xFFFF) ++record().emergency_count;
  }

  // The factory writes one slot; of two, the older release is the one that was there first.
  std::optional<Slot> LowerSequence() const {
    const SlotFacts& a = facts_.of(Slot::kA);
    const SlotFacts& b = facts_.of(Slot::kB);
    if (a.verified && b.verified) return b.sequence < a.sequence ? Slot::kB : Slot::kA;
    if (a.verified) return Slot::kA;
    if (b.verified) return Slot::kB;
    return std::nullopt;
  }

  void Normalise() {
    BootRecord& r = record();
    if (r.pending == r.confirmed) {
      Apply(BootRow::kN1);
      r.pending = std::nullopt;
    }
    if (r.pending && r.owed) {
      Apply(BootRow::kN2);
      r.pending = std::nullopt;
    }
    if (r.attempts_left > kMaxAttempts || r.power_attempts_left > kMaxPower) {
      Apply(BootRow::kN3);
      r.attempts_left = std::min(r.attempts_left, kMaxAttempts);
      r.power_attempts_left = std::min(r.power_attempts_left, kMaxPower);
    }
  }

  // True: the pending slot runs. False: the trial is over, and its rollback is owed.
  bool DecideTrial(Slot pending) {
    BootRecord& r = record();
    const SlotFacts& slot = facts_.of(pending);
    const bool same_manifest = slot.manifest_digest == r.trial_digest;
    const bool power = r.started && facts_.cause == ResetCause::kPower;
    if (!slot.verified || !same_manifest) {
      Apply(BootRow::kB3);
      if (r.reason == Reason::kNone) {
        r.reason = Reason::kInvalidImage;
        r.detail = slot.verified ? std::string_view(Wordy("other manifest")) : Name(slot.why).view();
      }
    } else if (r.started && r.reason != Reason::kNone) {
      Apply(BootRow::kB4);
    } else if (power && r.power_attempts_left > 0) {
      Apply(BootRow::kB5);
      --r.power_attempts_left;
      Run(pending, BootMode::kTrial);
      return true;
    } else if (!power && r.attempts_left > 0) {
      Apply(BootRow::kB6);
      --r.attempts_left;
      r.started = true;
      Run(pending, BootMode::kTrial);
      return true;
    } else {
      Apply(BootRow::kB7);
      r.reason = SpentReason();
    }
    r.pending = std::nullopt;
    r.owed = true;
    return false;
  }

  Reason SpentReason() const {
    switch (facts_.cause) {
      case ResetCause::kWatchdog:
        return Reason::kWatchdog;
      case ResetCause::kPower:
        return Reason::kPower;
      case ResetCause::kSoftware:
      case ResetCause::kOther:
        break;
    }
    return Reason::kCrash;
  }

  void DecideConfirmed() {
    BootRecord& r = record();
    const Slot other = Other(r.confirmed);
    if (facts_.of(r.confirmed).verified) {
      Apply(BootRow::kB8);
      Run(r.confirmed, r.proven ? BootMode::kNormal : BootMode::kUnproven);
    } else if (facts_.of(other).verified) {
      Apply(BootRow::kB9);
      r.confirmed = other;
      r.proven = false;
      AddEmergency(Reason::kConfirmedInvalid);
      Run(other, BootMode::kUnproven);
    } else {
      Apply(BootRow::kB10);
      // Once: a device that resets in recovery for ever must not wear out the record's flash.
      if (r.emergency_reason != Reason::kNothingBootable) AddEmergency(Reason::kNothingBootable);
    }
  }

  const BootFacts& facts_;
  BootDecision decision_;
};

}  // namespace

BootDecision Decide(const RecordState& state, const BootFacts& facts) {
  if (state.kind == RecordKind::kValid) return Deciding(state.record, facts).FromValid();
  return Deciding({}, facts).FromNothing(state.kind == RecordKind::kLost);
}

BootDecision WithoutCommit(const RecordState& state, const BootFacts& facts, const BootDecision& decision) {
  BootDecision kept = decision;
  kept.commit = false;
  kept.next = state.record;
  if (decision.recovery() || decision.mode != BootMode::kTrial) return kept;
  const Slot confirmed = state.record.confirmed;
  const bool proven = state.record.proven;
  if (facts.of(confirmed).verified) {
    kept.slot = confirmed;
    kept.mode = proven ? BootMode::kNormal : BootMode::kUnproven;
  } else {
    // Only the pending slot verifies. It runs, but nobody may call that a trial: its attempts are not counted.
    kept.slot = Other(confirmed);
    kept.mode = BootMode::kUnproven;
  }
  return kept;
}

}  // namespace pawl
