// The lattice of job states, and the page that documents it.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <sstream>

#include "platform/core/ledger.h"
#include "platform/core/test_states.h"

namespace pawl::platform {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)

std::string YesNo(bool yes) { return yes ? "yes" : "no"; }
std::string TextOf(Cancelling cancel) {
  return cancel == Cancelling::kNow ? "at once" : cancel == Cancelling::kAsk ? "asks the device" : "no";
}
std::string TextOf(Retrying retry) {
  return retry == Retrying::kYes ? "yes" : retry == Retrying::kIfTimedOut ? "if timed out" : "no";
}

TEST(JobRules, AreThoseOfTheDocumentedTable) {
  std::ifstream page("docs/spec/protocol.md");
  ASSERT_TRUE(page) << "run from the source folder";
  std::stringstream text;
  text << page.rdbuf();
  for (const JobRule& rule : kJobRules) {
    const std::string row = "| `" + std::string(rule.text) + "` | " + YesNo(rule.terminal) + " | " +
                            TextOf(rule.cancel) + " | " + YesNo(rule.may_be_lost) + " | " + TextOf(rule.retry) + " |";
    EXPECT_NE(text.str().find(row), std::string::npos) << "docs/spec/protocol.md lacks: " << row;
  }
}

TEST(JobRules, TextsAreReadBackAndPhasesHaveTheirNames) {
  for (const JobRule& rule : kJobRules) EXPECT_EQ(ParseJobStatus(rule.text), rule.status);
  EXPECT_FALSE(ParseJobStatus("rebooting").has_value());
  for (int i = 0; i <= static_cast<int>(wire::Phase::kCancelled); ++i) {
    const auto phase = static_cast<wire::Phase>(i);
    EXPECT_EQ(Text(FromPhase(phase)), Text(phase));
    EXPECT_EQ(IsTerminal(FromPhase(phase)), IsTerminal(phase));
  }
}

TEST(JobRules, MergingIsAssociativeCommutativeAndIdempotent) {
  for (const JobRule& a : kJobRules) {
    EXPECT_EQ(Merge(a.status, a.status), a.status);
    for (const JobRule& b : kJobRules) {
      EXPECT_EQ(Merge(a.status, b.status), Merge(b.status, a.status));
      for (const JobRule& c : kJobRules) {
        EXPECT_EQ(Merge(Merge(a.status, b.status), c.status), Merge(a.status, Merge(b.status, c.status)));
      }
    }
  }
}

wire::State AnyState() {
  wire::State state = Idle(*rc::gen::inRange<std::uint64_t>(0, 4));
  state.journal = Filled<16>(*rc::gen::inRange<std::uint8_t>(0, 2));
  state.trial = *rc::gen::inRange<std::uint32_t>(0, 6);
  if (*rc::gen::arbitrary<bool>()) {
    state.job = wire::JobState{*rc::gen::inRange<std::uint64_t>(kJobNumber - 1, kJobNumber + 2),
                               *rc::gen::element(kManifest, kOldImage),
                               static_cast<wire::Phase>(*rc::gen::inRange(0, 9)),
                               Reason::kNone,
                               {},
                               {}};
  }
  if (*rc::gen::inRange(0, 4) == 0)
    state.owed = wire::Owed{4, *rc::gen::inRange<std::uint64_t>(4, 7), kManifest, {}, {}};
  if (*rc::gen::arbitrary<bool>()) {
    state.running.front() = {"main",  "B", *rc::gen::element(kNewImage, kOldImage),         kManifest,
                             "2.0.0", 2,   static_cast<wire::Mode>(*rc::gen::inRange(0, 3))};
  }
  return state;
}

RC_GTEST_PROP(LedgerProperty, WhateverIsShownAJobNeverSinksAndKeepsItsCredit, ()) {
  JobView job = Offered();
  job.status = static_cast<JobStatus>(*rc::gen::inRange(0, 12));
  job.permitted = *rc::gen::arbitrary<bool>();
  job.cancelling = *rc::gen::arbitrary<bool>();
  const wire::State shown = AnyState();
  const JobView after = Advance(job, shown, *rc::gen::arbitrary<bool>());
  RC_ASSERT(after.status >= job.status);
  RC_ASSERT(after.permitted >= job.permitted);
  if (after.status == JobStatus::kSucceeded && job.status != JobStatus::kSucceeded) {
    RC_ASSERT(shown.running.front().mode == wire::Mode::kNormal);
    RC_ASSERT(shown.running.front().image_digest == job.image_digest);
    RC_ASSERT(!shown.owed.has_value());
  }
  if (shown.owed && shown.owed->job == job.n) RC_ASSERT(after.status == JobStatus::kRolledBack);
}

RC_GTEST_PROP(LedgerProperty, TheSameSnapshotAgainChangesNothing, ()) {
  const wire::State shown = AnyState();
  const bool fresh = *rc::gen::arbitrary<bool>();
  const JobView job = Offered();
  const Interpretation first = Interpret(Device(std::nullopt), {&job, 1}, shown, fresh);
  DeviceView device = Device(shown);
  device.highest_n = first.highest_n;
  const JobView after = first.changed.empty() ? job : first.changed.front();
  const Interpretation second = Interpret(device, {&after, 1}, shown, fresh);
  RC_ASSERT(second.standing == Standing::kSame);
  RC_ASSERT(second.changed.empty());
  RC_ASSERT(!second.emergency.has_value());
  RC_ASSERT(!second.restored_platform);
  RC_ASSERT(second.settled == first.settled);  // the ack may have been lost
}

}  // namespace
}  // namespace pawl::platform
