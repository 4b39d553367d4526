#include "boot/core/decide.h"

namespace pawl {
namespace {

// The decision while the rows are gone through.
class Deciding {
 public:
  Deciding(BootDecision& decision, const BootFacts& facts)
      : decision_(decision), record_(decision.next), facts_(facts) {}

  BootRows rows() const { return rows_; }

  // Precondition: the record is the one that was found.
  void FromValid() {
    Normalise();
    const bool trial = record_.pending && DecideTrial(*record_.pending);
    if (!trial) DecideConfirmed();
  }

  // Precondition: the record is a new one: proven no, pending none, owed no, floor 0.
  void FromNothing(bool lost) {
    const SlotFacts& a = facts_.of(Slot::kA);
    const SlotFacts& b = facts_.of(Slot::kB);
    if (!a.verified && !b.verified) return Apply(BootRow::kB0);
    // The factory writes one slot; of two, the older release is the one that was there first.
    const Slot slot = a.verified && !(b.verified && b.sequence < a.sequence) ? Slot::kA : Slot::kB;
    record_.confirmed = slot;
    decision_.commit = true;
    Run(slot, BootMode::kUnproven);
    if (!lost) return Apply(BootRow::kB1);
    Apply(BootRow::kB2);
    AddEmergency(Reason::kRecordLost);
  }

 private:
  void Apply(BootRow row) { rows_.Add(row); }
  void Run(Slot slot, BootMode mode) {
    decision_.slot = slot;
    decision_.mode = mode;
  }
  void AddEmergency(Reason reason) {
    record_.emergency_reason = reason;
    if (record_.emergency_count < 0xFFFF) ++record_.emergency_count;
  }

  void Normalise() {
    BootRecord& r = record_;
    if (r.pending == r.confirmed) {
      Apply(BootRow::kN1);
      r.pending = std::nullopt;
    }
    if (r.pending && r.owed) {
      Apply(BootRow::kN2);
      r.pending = std::nullopt;
    }
    if (r.attempts_left > kMaxAttempts) {
      Apply(BootRow::kN3);
      r.attempts_left = kMaxAttempts;
    }
    if (r.power_attempts_left > kMaxPower) {
      Apply(BootRow::kN3);
      r.power_attempts_left = kMaxPower;
    }
  }

  // True: the pending slot runs. False: the trial is over, and its rollback is owed.
  bool DecideTrial(Slot pending) {
    BootRecord& r = record_;
    const SlotFacts& slot = facts_.of(pending);
    const bool holds = slot.verified && slot.manifest_digest == r.trial_digest;
    const bool failed = r.reason != Reason::kNone;
    if (!holds) {
      Apply(BootRow::kB3);
      if (!failed) {
        r.reason = Reason::kInvalidImage;
        r.detail.clear();
        if (!slot.verified) {
          r.detail.append(Name(slot.why));
        } else if (!kBrief) {
          r.detail.append("other manifest");
        }
      }
    } else if (r.started && failed) {
      Apply(BootRow::kB4);
    } else {
      const bool power = r.started && facts_.cause == ResetCause::kPower;
      if (power && r.power_attempts_left > 0) {
        Apply(BootRow::kB5);
        --r.power_attempts_left;
        Run(pending, BootMode::kTrial);
        return true;
      }
      if (!power && r.attempts_left > 0) {
        Apply(BootRow::kB6);
        --r.attempts_left;
        r.started = true;
        Run(pending, BootMode::kTrial);
        return true;
      }
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
    BootRecord& r = record_;
    const Slot confirmed = r.confirmed;
    const Slot other = Other(confirmed);
    if (facts_.of(confirmed).verified) {
      Apply(BootRow::kB8);
      Run(confirmed, r.proven ? BootMode::kNormal : BootMode::kUnproven);
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

  BootDecision& decision_;
  BootRecord& record_;  // the decision's
  const BootFacts& facts_;
  BootRows rows_;
};

}  // namespace

BootDecision Decide(const RecordState& state, const BootFacts& facts) {
  BootDecision decision;
  Deciding deciding(decision, facts);
  if (state.kind == RecordKind::kValid) {
    decision.next = state.record;
    deciding.FromValid();
    decision.commit = decision.next != state.record;
  } else {
    deciding.FromNothing(state.kind == RecordKind::kLost);
  }
  decision.rows = deciding.rows();
  return decision;
}

void WithoutCommit(const RecordState& state, const BootFacts& facts, BootDecision& decision) {
  decision.commit = false;
  decision.next = state.record;
  if (decision.recovery() || decision.mode != BootMode::kTrial) return;
  const Slot confirmed = state.record.confirmed;
  if (facts.of(confirmed).verified) {
    decision.slot = confirmed;
    decision.mode = state.record.proven ? BootMode::kNormal : BootMode::kUnproven;
  } else {
    // Only the pending slot verifies. It runs, but nobody may call that a trial: its attempts are not counted.
    decision.slot = Other(confirmed);
    decision.mode = BootMode::kUnproven;
  }
}

}  // namespace pawl
