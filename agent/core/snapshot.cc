#include "agent/core/snapshot.h"

namespace pawl::agent {
namespace {

wire::Mode ModeOf(BootMode mode) {
  switch (mode) {
    case BootMode::kNormal:
      return wire::Mode::kNormal;
    case BootMode::kTrial:
      return wire::Mode::kTrial;
    case BootMode::kUnproven:
      return wire::Mode::kUnproven;
  }
  return wire::Mode::kUnproven;
}

Outcome WhileItRuns(BootMode mode) {
  return {.phase = mode == BootMode::kNormal ? wire::Phase::kSucceeded : wire::Phase::kTrial};
}

wire::RunningComponent RunningOf(const BootFacts& boot) {
  wire::RunningComponent running;
  running.slot = Text(boot.slot);
  running.image_digest = boot.running.image_digest;
  running.manifest_digest = boot.running.manifest_digest;
  running.version = ToText(boot.running.version).view();
  running.sequence = boot.running.sequence;
  running.mode = ModeOf(boot.mode);
  return running;
}

}  // namespace

Outcome OutcomeOf(const wire::JobState& job, const BootFacts& boot) {
  const BootRecord& record = boot.record;
  const bool known = record.trial > 0 && record.job == job.n && record.trial_digest == job.digest;
  const bool runs = boot.running.manifest_digest == job.digest;
  if (known && record.pending) {  // O1
    return {.phase = boot.mode == BootMode::kTrial ? wire::Phase::kTrial : wire::Phase::kCommitted};
  }
  if (known && record.reason != Reason::kNone) {  // O2
    return {wire::Phase::kRolledBack, record.reason, std::string(record.detail.view())};
  }
  if (known && !runs) return {wire::Phase::kRolledBack, Reason::kConfirmedInvalid, {}};            // O4
  if (!known && job.phase != wire::Phase::kCommitted) return {job.phase, job.reason, job.detail};  // O6
  if (!known && !runs) return {wire::Phase::kRolledBack, Reason::kRecordLost, {}};                 // O5
  return WhileItRuns(boot.mode);                                                                   // O3, O5
}

wire::State Snapshot(const Ledger& ledger, const BootFacts& boot) {
  const BootRecord& record = boot.record;
  wire::State state;
  state.journal = ledger.journal;
  state.rev = ledger.rev;
  if (ledger.job) {
    Outcome outcome = OutcomeOf(*ledger.job, boot);
    state.job = *ledger.job;
    state.job->phase = outcome.phase;
    state.job->reason = outcome.reason;
    state.job->detail = std::move(outcome.detail);
  }
  state.running.push_back(RunningOf(boot));
  state.trial = record.trial;
  if (record.owed) {
    state.owed =
        wire::Owed{record.trial, record.job, record.trial_digest, record.reason, std::string(record.detail.view())};
  }
  if (record.emergency_count > 0 && record.emergency_reason != Reason::kNone) {
    state.emergency = wire::Emergency{record.emergency_count, record.emergency_reason};
  }
  return state;
}

}  // namespace pawl::agent
