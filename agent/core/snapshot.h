// The snapshot that the device tells: from the boot record and the ledger, never from what the agent remembers.
#pragma once

#include "agent/core/boot_facts.h"
#include "agent/core/ledger.h"

namespace pawl::agent {

struct Outcome {
  wire::Phase phase = wire::Phase::kAccepted;
  Reason reason = Reason::kNone;
  std::string detail = {};
};

// How far the ledger's job has come. The record wins wherever it knows the job: `committed`, `trial`, `succeeded`
// and `rolled_back` come from it alone.
//
//   O1  the record's last trial is this job, and it is pending   committed; trial while it runs
//   O2  the same, not pending, a reason set                      rolled_back, for that reason
//   O3  the same, no reason; its manifest runs                   trial until confirmed by its own self-tests, then
//   succeeded O4  the same, no reason; another manifest runs               rolled_back, confirmed image invalid O5  the
//   ledger says committed, the record knows nothing      as O3 if its manifest runs; else rolled_back, boot
//                                                                record lost
//   O6  else                                                     what the ledger says
Outcome OutcomeOf(const wire::JobState& job, const BootFacts& boot);

wire::State Snapshot(const Ledger& ledger, const BootFacts& boot);

}  // namespace pawl::agent
