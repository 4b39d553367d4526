#include "agent/core/snapshot.h"

#include <gtest/gtest.h>

namespace pawl::agent {
namespace {

constexpr std::uint64_t kJob = 17;
const Digest kJobDigest = [] {
  Digest digest;
  digest.fill(0x17);
  return digest;
}();
constexpr wire::Phase kLedgerPhases[] = {wire::Phase::kAccepted,  wire::Phase::kDownloading, wire::Phase::kVerified,
                                         wire::Phase::kCommitted, wire::Phase::kRefused,     wire::Phase::kCancelled};
constexpr BootMode kModes[] = {BootMode::kNormal, BootMode::kTrial, BootMode::kUnproven};

wire::JobState JobIn(wire::Phase phase) {
  wire::JobState job;
  job.n = kJob;
  job.digest = kJobDigest;
  job.phase = phase;
  return job;
}

BootFacts Facts(bool known, bool runs, bool pending, Reason reason, BootMode mode) {
  BootFacts facts;
  facts.mode = mode;
  if (runs) facts.running.manifest_digest = kJobDigest;
  if (known) {
    facts.record.trial = 3;
    facts.record.job = kJob;
    facts.record.trial_digest = kJobDigest;
    facts.record.reason = reason;
    facts.record.detail = "peripheral:adc";
    if (pending) facts.record.pending = Slot::kB;
  }
  return facts;
}

// Every combination that matters: 6 phases x known x runs x pending x reason x 3 modes.
TEST(Outcome, IsWhatTheRecordSaysWhereverTheRecordKnowsTheJob) {
  int cases = 0;
  for (const wire::Phase phase : kLedgerPhases) {
    for (int bits = 0; bits < 16; ++bits) {
      for (const BootMode mode : kModes) {
        const bool known = (bits & 1) != 0, runs = (bits & 2) != 0, pending = (bits & 4) != 0;
        const Reason reason = (bits & 8) != 0 ? Reason::kWatchdog : Reason::kNone;
        const Outcome outcome = OutcomeOf(JobIn(phase), Facts(known, runs, pending, reason, mode));
        ++cases;
        if (outcome.phase == wire::Phase::kSucceeded) {
          EXPECT_TRUE(runs && mode == BootMode::kNormal);
          EXPECT_TRUE(known || phase == wire::Phase::kCommitted);
        }
        if (known && pending) {
          EXPECT_EQ(outcome.phase, mode == BootMode::kTrial ? wire::Phase::kTrial : wire::Phase::kCommitted);
        } else if (known && reason != Reason::kNone) {
          EXPECT_EQ(outcome.phase, wire::Phase::kRolledBack);
          EXPECT_EQ(outcome.reason, reason);
          EXPECT_EQ(outcome.detail, "peripheral:adc");
        } else if (known) {
          const auto expected = !runs                       ? wire::Phase::kRolledBack
                                : mode == BootMode::kNormal ? wire::Phase::kSucceeded
                                                            : wire::Phase::kTrial;
          EXPECT_EQ(outcome.phase, expected);
        } else if (phase != wire::Phase::kCommitted) {
          EXPECT_EQ(outcome.phase, phase);
        } else if (!runs) {
          EXPECT_EQ(outcome.phase, wire::Phase::kRolledBack);
          EXPECT_EQ(outcome.reason, Reason::kRecordLost);
        }
      }
    }
  }
  EXPECT_EQ(cases, 6 * 16 * 3);
}

TEST(Snapshot, ShowsDebtsOfTheRecordUntilTheyAreSettled) {
  Ledger ledger;
  ledger.rev = 5;
  BootFacts facts = Facts(true, false, false, Reason::kSelfTestFailed, BootMode::kNormal);
  facts.record.owed = true;
  facts.record.emergency_count = 2;
  facts.record.emergency_reason = Reason::kRecordLost;
  facts.slot = Slot::kB;
  facts.running.version = {.major = 1, .stage_number = {}};
  const wire::State state = Snapshot(ledger, facts);
  ASSERT_TRUE(state.owed);
  EXPECT_EQ(state.owed->trial, 3U);
  EXPECT_EQ(state.owed->job, kJob);
  EXPECT_EQ(state.owed->detail, "peripheral:adc");
  ASSERT_TRUE(state.emergency);
  EXPECT_EQ(state.emergency->count, 2);
  ASSERT_EQ(state.running.size(), 1U);
  EXPECT_EQ(state.running[0].slot, "B");
  EXPECT_EQ(state.running[0].version, "1.0.0");
  EXPECT_FALSE(state.job);

  facts.record.owed = false;
  facts.record.emergency_reason = Reason::kNone;
  EXPECT_FALSE(Snapshot(ledger, facts).owed);
  EXPECT_FALSE(Snapshot(ledger, facts).emergency);
}

}  // namespace
}  // namespace pawl::agent
