#include "platform/core/ledger.h"

#include <gtest/gtest.h>

#include "platform/core/test_states.h"

namespace pawl::platform {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)
using wire::Phase;

TEST(Compare, TellsEveryStandingApart) {
  EXPECT_EQ(Compare(std::nullopt, Idle(1)), Standing::kFirst);
  EXPECT_EQ(Compare(Idle(4), Idle(5)), Standing::kNewer);
  EXPECT_EQ(Compare(Idle(4), Idle(4)), Standing::kSame);
  EXPECT_EQ(Compare(Idle(4), Idle(3)), Standing::kOlder);
  EXPECT_EQ(Compare(Idle(4), With(4, Phase::kAccepted)), Standing::kFork);
  wire::State other = Idle(1);
  other.journal = Filled<16>(0x0b);
  EXPECT_EQ(Compare(Idle(4), other), Standing::kNewJournal);
}

TEST(Hello, TheNewestAgainKeepsTheSessionAndAnOvertakenOneIsDropped) {
  DeviceView device = Device(Idle(4));
  EXPECT_EQ(JudgeHello(device, HelloOf(Idle(4), 0xb0, 0xc0)), HelloVerdict::kRepeated);
  device = WithHello(device, HelloOf(Idle(4), 0xb0, 0xc1), 2);
  EXPECT_EQ(device.session, 2U);
  EXPECT_EQ(JudgeHello(device, HelloOf(Idle(4), 0xb0, 0xc0)), HelloVerdict::kLate);
  EXPECT_EQ(JudgeHello(device, HelloOf(Idle(3), 0xb0, 0xc2)), HelloVerdict::kLate);
}

TEST(Hello, ANewBootIsAccepted) {
  EXPECT_EQ(JudgeHello(Device(Idle(4)), HelloOf(Idle(4), 0xb1, 0xc1)), HelloVerdict::kAccept);
  EXPECT_EQ(JudgeHello(Device(Idle(4)), HelloOf(Idle(5), 0xb1, 0xc1)), HelloVerdict::kAccept);
}

TEST(Hello, TwoHoldersOfOneIdentityAreFound) {
  // A lower rev from another boot: the ledger never goes back.
  EXPECT_EQ(JudgeHello(Device(Idle(4)), HelloOf(Idle(3), 0xb1, 0xc1)), HelloVerdict::kFork);
  // The same rev with other content.
  EXPECT_EQ(JudgeHello(Device(Idle(4)), HelloOf(With(4, Phase::kAccepted), 0xb1, 0xc1)), HelloVerdict::kFork);
  // Boots A, B, A.
  const DeviceView device = WithHello(Device(Idle(4)), HelloOf(Idle(4), 0xb1, 0xc1), 2);
  EXPECT_EQ(JudgeHello(device, HelloOf(Idle(5), 0xb0, 0xc2)), HelloVerdict::kFork);
}

TEST(Hello, OnlyTheLastBootsAndNoncesAreRemembered) {
  DeviceView device = Device(Idle(1));
  for (std::uint8_t i = 1; i < 100; ++i) device = WithHello(device, HelloOf(Idle(1), i, i), i);
  EXPECT_EQ(device.boots.size(), kMaxRemembered);
  EXPECT_EQ(device.nonces.size(), kMaxRemembered);
  EXPECT_EQ(device.nonces.back(), Filled<16>(99));
}

TEST(Report, OfAnotherSessionIsDropped) {
  EXPECT_EQ(JudgeReport(Device(Idle(4)), {1, Idle(5)}), ReportVerdict::kAccept);
  EXPECT_EQ(JudgeReport(Device(Idle(4)), {1, Idle(4)}), ReportVerdict::kAccept);
  EXPECT_EQ(JudgeReport(Device(Idle(4)), {2, Idle(5)}), ReportVerdict::kDrop);
  EXPECT_EQ(JudgeReport(Device(Idle(4)), {1, Idle(3)}), ReportVerdict::kDrop);
  EXPECT_EQ(JudgeReport(Device(Idle(4)), {1, With(4, Phase::kAccepted)}), ReportVerdict::kFork);
  DeviceView without = Device(Idle(4));
  without.session = 0;
  EXPECT_EQ(JudgeReport(without, {0, Idle(5)}), ReportVerdict::kDrop);
}

TEST(Success, NeedsNormalModeTheJobsImageItsManifestAndItsTrial) {
  const wire::State good = With(7, Phase::kSucceeded);
  EXPECT_EQ(Advance(Permitted(), good, false).status, JobStatus::kSucceeded);

  wire::State state = good;
  state.running.front().mode = wire::Mode::kUnproven;
  EXPECT_EQ(Advance(Permitted(), state, false).status, JobStatus::kTrial);
  state = good;
  state.running.front().image_digest = kOldImage;  // the right version text does not help
  EXPECT_EQ(Advance(Permitted(), state, false).status, JobStatus::kTrial);
  state = good;
  state.job->digest = kOldImage;
  EXPECT_EQ(Advance(Permitted(), state, false).status, JobStatus::kTrial);
  state = good;
  state.trial = kTrialBefore;
  EXPECT_EQ(Advance(Permitted(), state, false).status, JobStatus::kTrial);
  state = good;
  state.running.clear();
  EXPECT_EQ(Advance(Permitted(), state, false).status, JobStatus::kTrial);

  JobView job = Permitted();
  job.trial = kTrialBefore + 2;  // committed as another trial
  EXPECT_EQ(Advance(job, good, false).status, JobStatus::kTrial);
}

TEST(Success, IsNeverInferredFromTheRunningImageAlone) {
  wire::State silent = With(7, Phase::kSucceeded);
  silent.job.reset();
  EXPECT_EQ(Advance(Permitted(), silent, false).status, JobStatus::kOffered);
}

TEST(Rollback, CountsByTheDebtEvenIfTheSnapshotShowsNoJob) {
  wire::State state = WithDebt(7, Reason::kWatchdog);
  state.job.reset();
  const JobView job = Advance(Permitted(), state, false);
  EXPECT_EQ(job.status, JobStatus::kRolledBack);
  EXPECT_EQ(job.reason, Reason::kWatchdog);
  EXPECT_EQ(job.trial, kTrialBefore + 1);
}

TEST(Rollback, IsNotHiddenByALaterSuccess) {
  const JobView rolled_back = Advance(Permitted(), WithDebt(7, Reason::kWatchdog), false);
  EXPECT_EQ(Advance(rolled_back, With(8, Phase::kSucceeded), false).status, JobStatus::kRolledBack);
}

TEST(Rollback, TheDebtIsSettledByItsNumbers) {
  const DeviceView device = Device(With(6, Phase::kTrial));
  const JobView job = Permitted();
  const Interpretation out = Interpret(device, {&job, 1}, WithDebt(7, Reason::kCrash), false);
  EXPECT_EQ(out.settled.trial, kTrialBefore + 1);
  EXPECT_EQ(out.settled.trial_job, kJobNumber);
  EXPECT_FALSE(out.settled.emergency.has_value());
  ASSERT_TRUE(out.rollback.has_value());
  EXPECT_FALSE(out.restored_platform);
}

TEST(Emergency, IsNewOnceAndSettledUntilItsReasonIsGone) {
  wire::State state = Idle(5);
  state.emergency = wire::Emergency{1, Reason::kRecordLost};
  Interpretation out = Interpret(Device(Idle(4)), {}, state, false);
  EXPECT_EQ(out.emergency, state.emergency);
  EXPECT_EQ(out.settled.emergency, 1);
  wire::State again = state;
  again.rev = 6;
  out = Interpret(Device(state), {}, again, false);
  EXPECT_FALSE(out.emergency.has_value());
  EXPECT_EQ(out.settled.emergency, 1);
  again.emergency->reason = Reason::kNone;
  EXPECT_FALSE(Interpret(Device(state), {}, again, false).settled.emergency.has_value());
}

TEST(Rule4, ALateTruthTakesTheTimedOutMarkAway) {
  JobView job = Offered();
  job.timed_out = true;
  EXPECT_TRUE(Advance(job, Idle(5), false).timed_out);  // says nothing about the job
  EXPECT_FALSE(Advance(job, With(5, Phase::kAccepted), false).timed_out);
}

TEST(Rule4, AJobGivenUpByTheOperatorYieldsToTheDevicesLastWord) {
  JobView job = Permitted();
  job.status = JobStatus::kLost;
  EXPECT_EQ(Advance(job, With(5, Phase::kCommitted), false).status, JobStatus::kLost);
  EXPECT_EQ(Advance(job, With(7, Phase::kSucceeded), false).status, JobStatus::kSucceeded);
}

TEST(Cancel, IsConfirmedByTheDeviceOrByAFreshSessionThatNeverSawTheJob) {
  JobView job = Offered();
  job.cancelling = true;
  EXPECT_EQ(Advance(job, Idle(5), false).status, JobStatus::kOffered);  // the offer may still be on its way
  EXPECT_EQ(Advance(job, Idle(5), true).status, JobStatus::kCancelled);
  const JobView confirmed = Advance(job, With(5, Phase::kCancelled, Reason::kCancelled), false);
  EXPECT_EQ(confirmed.status, JobStatus::kCancelled);
  EXPECT_FALSE(confirmed.cancelling);
  job.cancelling = false;
  EXPECT_EQ(Advance(job, Idle(5), true).status, JobStatus::kOffered);
}

TEST(Cancel, TooLateEndsWithTheTruthOfTheTrial) {
  JobView job = Permitted();
  job.cancelling = true;
  EXPECT_EQ(Advance(job, With(5, Phase::kCommitted), true).status, JobStatus::kCommitted);
  EXPECT_EQ(WordAbout(Advance(job, With(5, Phase::kCommitted), true), true), Word::kOffer);
  EXPECT_EQ(Advance(job, With(7, Phase::kSucceeded), false).status, JobStatus::kSucceeded);
}

TEST(RestoredPlatform, ShowsInAJobNumberThatWasNeverGiven) {
  DeviceView device = Device(Idle(4));
  device.highest_n = kJobNumber - 1;
  EXPECT_TRUE(Interpret(device, {}, With(5, Phase::kAccepted), true).restored_platform);
  EXPECT_EQ(Interpret(device, {}, With(5, Phase::kAccepted), true).highest_n, kJobNumber);
}

TEST(RestoredPlatform, ShowsInATrialWithoutACredit) {
  const JobView job = Offered();
  const DeviceView device = Device(Idle(4));
  for (const Phase phase : {Phase::kCommitted, Phase::kTrial, Phase::kSucceeded, Phase::kRolledBack}) {
    const Interpretation out = Interpret(device, {&job, 1}, With(5, phase), true);
    EXPECT_TRUE(out.restored_platform) << Text(phase);
    ASSERT_EQ(out.changed.size(), 1U);
    EXPECT_TRUE(out.changed.front().permitted);  // the counter is rebuilt
    EXPECT_FALSE(Interpret(device, out.changed, With(6, phase), true).restored_platform);
  }
  wire::State rose = Idle(5);
  rose.trial = kTrialBefore + 1;
  EXPECT_TRUE(Interpret(device, {&job, 1}, rose, true).restored_platform);
  const JobView permitted = Permitted();
  EXPECT_FALSE(Interpret(device, {&permitted, 1}, rose, true).restored_platform);
  EXPECT_FALSE(Interpret(Device(std::nullopt), {&job, 1}, rose, true).restored_platform);  // tried in the factory
}

TEST(RestoredPlatform, IsNotSeenInAnOrdinaryUpdate) {
  DeviceView device = Device(Idle(1));
  JobView job = Offered();
  std::uint64_t rev = 2;
  for (const Phase phase :
       {Phase::kAccepted, Phase::kDownloading, Phase::kVerified, Phase::kCommitted, Phase::kTrial, Phase::kSucceeded}) {
    if (phase == Phase::kCommitted) job.permitted = true;
    const wire::State shown = With(rev++, phase);
    const Interpretation out = Interpret(device, {&job, 1}, shown, false);
    EXPECT_FALSE(out.restored_platform) << Text(phase);
    ASSERT_EQ(out.changed.size(), 1U) << Text(phase);
    job = out.changed.front();
    device.told = shown;
  }
  EXPECT_EQ(job.status, JobStatus::kSucceeded);
}

TEST(WordAboutAJob, FollowsItsStatus) {
  JobView job = Offered();
  for (const JobRule& rule : kJobRules) {
    job.status = rule.status;
    job.cancelling = false;
    EXPECT_EQ(WordAbout(job, true), rule.terminal ? Word::kNothing : Word::kOffer) << rule.text;
    const bool withheld = rule.terminal || rule.status == JobStatus::kQueued;
    EXPECT_EQ(WordAbout(job, false), withheld ? Word::kNothing : Word::kOffer) << rule.text;
    job.cancelling = true;
    EXPECT_EQ(WordAbout(job, true) == Word::kCancel, rule.cancel == Cancelling::kAsk) << rule.text;
  }
}

class Permits : public ::testing::Test {
 protected:
  PermitDecision Decide() { return DecidePermit(device, &job, facts, ready); }
  void ExpectWait(std::string_view why) {
    EXPECT_EQ(Decide().kind, PermitDecision::Kind::kWait);
    EXPECT_EQ(Decide().why, why);
  }

  DeviceView device = Device(With(4, Phase::kVerified));
  JobView job = Offered();
  PermitCase facts{true, true, 2, 0, 2, 0, 0};
  wire::Ready ready{1, kJobNumber, kManifest, Filled<16>(7)};
};

TEST_F(Permits, AreGrantedWhenAllHoldsAndAgainForARepeatedReady) {
  EXPECT_EQ(Decide().kind, PermitDecision::Kind::kGrant);
  job.permitted = true;
  ready.nonce = Filled<16>(8);
  EXPECT_EQ(Decide().kind, PermitDecision::Kind::kGrant);
}

TEST_F(Permits, DropWhatIsNotThisDevicesJobNow) {
  const auto expect_drop = [&] { EXPECT_EQ(Decide().kind, PermitDecision::Kind::kDrop) << Decide().why; };
  ready.session = 2;
  expect_drop();
  ready.session = 1;
  ready.job = kJobNumber - 1;
  expect_drop();
  ready.job = kJobNumber;
  for (const JobRule& rule : kJobRules) {
    job.status = rule.status;
    EXPECT_EQ(Decide().kind == PermitDecision::Kind::kDrop, rule.status >= JobStatus::kCommitted) << rule.text;
  }
  EXPECT_EQ(DecidePermit(device, nullptr, facts, ready).kind, PermitDecision::Kind::kDrop);
}

TEST_F(Permits, WaitAndSayWhy) {
  ready.digest = kOldImage;
  ExpectWait("the device staged another manifest than the job's");
  ready.digest = kManifest;
  job.cancelling = true;
  ExpectWait("the job is being cancelled");
  job.cancelling = false;
  facts.campaign_runs = false;
  ExpectWait("the campaign is paused");
  facts.campaign_runs = true;
  device.told->owed = wire::Owed{};
  ExpectWait("the device owes a rollback report");
  device.told->owed.reset();
  device.told->running.front().mode = wire::Mode::kUnproven;
  ExpectWait("the device's running image is not confirmed");
  device.told->running.front().mode = wire::Mode::kNormal;
  facts.class_fits = false;
  ExpectWait("the device says that it is of another class");
  facts.class_fits = true;
  facts.min_board_revision = 3;
  ExpectWait("the device's board revision is too low");
  facts.min_board_revision = 2;
  facts.floor = 1;
  ExpectWait("the release is below the device's security floor");
  facts.floor = 0;
  device.told->running.front().sequence = 3;
  ExpectWait("the release is older than what the device runs");
  device.told->running.front().sequence = 2;
  EXPECT_EQ(Decide().kind, PermitDecision::Kind::kGrant);
}

}  // namespace
}  // namespace pawl::platform
