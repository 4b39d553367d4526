// Campaigns and jobs, from the operator's side.
#include "platform/io/data/campaigns.h"

#include <gtest/gtest.h>

#include "platform/io/data/test_platform.h"

namespace pawl::data {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)
using testing::Platform;
using wire::Phase;

class Campaigns : public ::testing::Test {
 protected:
  Campaigns() {
    platform.MakeClass();
    for (const char* id : {"dev-1", "dev-2", "dev-3"}) platform.MakeActive(id);
    release = platform.MakeRelease();
  }
  Result<Campaign> Create(const CampaignSpec& spec) {
    return platform.Write([&](sql::Tx& tx) { return CreateCampaign(tx, kOperator, spec); });
  }
  Result<Campaign> Roll(const std::vector<std::string>& devices) {
    return Create(CampaignSpec{"roll out", release.id, devices, kJobLifeS});
  }
  Result<Job> Retry(const std::string& job) {
    return platform.Write([&](sql::Tx& tx) { return RetryJob(tx, kOperator, job); });
  }
  Result<Job> Cancel(const std::string& job) {
    return platform.Write([&](sql::Tx& tx) { return CancelJob(tx, kOperator, job, "wrong one"); });
  }
  Result<Job> Lose(const std::string& job) {
    return platform.Write([&](sql::Tx& tx) { return LoseJob(tx, kOperator, job, "scrapped"); });
  }

  Platform platform;
  Release release;
};

TEST_F(Campaigns, StoreOneQueuedJobForEachTarget) {
  const Campaign campaign = Must(Roll({"dev-2", "dev-1", "dev-1"}));
  EXPECT_EQ(campaign.target_count, 2U);
  EXPECT_EQ(campaign.counts.of(JobStatus::kQueued), 2U);
  EXPECT_EQ(campaign.targets, R"({"devices":["dev-2","dev-1","dev-1"]})");
  const Job job = platform.JobOf("dev-1");
  EXPECT_EQ(job.n, 1U);
  EXPECT_EQ(job.status, JobStatus::kQueued);
  EXPECT_EQ(job.version, "1.0.0");
  EXPECT_EQ(job.waiting, "the device is not connected");
  EXPECT_EQ(platform.Events(EventKind::kJobCreated).size(), 2U);
  EXPECT_TRUE(platform.Outbox().empty());
}

TEST_F(Campaigns, AFilterIsAppliedOnceAndKeptAsAsked) {
  platform.MakeClass("virtual-2");
  platform.MakeActive("dev-9", "virtual-2");
  const Campaign campaign = Must(Create(CampaignSpec{"f", release.id, DeviceFilter{.id_glob = "dev-*"}, kJobLifeS}));
  EXPECT_EQ(campaign.target_count, 3U);  // dev-9 is of another class: the release's is the default
  EXPECT_EQ(campaign.targets, R"({"filter":{"class":"virtual-1","id_glob":"dev-*"}})");
  EXPECT_EQ(ReasonOf(Create(CampaignSpec{"f", release.id, DeviceFilter{.id_glob = "x*"}, kJobLifeS})),
            Reason::kConflict);
}

TEST_F(Campaigns, RefuseDevicesThatDoNotFitAndNameThem) {
  platform.MakeClass("virtual-2");
  platform.MakeActive("dev-9", "virtual-2");
  Must(Roll({"dev-1"}));
  platform.Do([](sql::Tx& tx) { return ChangeDeviceState(tx, kOperator, "dev-3", DeviceAction::kDecommission, ""); });
  const auto refused = Roll({"dev-1", "dev-2", "dev-3", "dev-9"});
  EXPECT_EQ(ReasonOf(refused), Reason::kConflict);
  EXPECT_EQ(DetailOf(refused), "dev-1 has an open job, dev-3 is decommissioned, dev-9 is of class virtual-2");
  EXPECT_EQ(ReasonOf(Roll({"dev-2", "nobody"})), Reason::kNotFound);
  EXPECT_EQ(ReasonOf(Roll({})), Reason::kConflict);
  // Nothing of the refused ones is stored.
  EXPECT_EQ(platform.Do([](sql::Tx& tx) { return ListCampaigns(tx, {}); }).items.size(), 1U);
  EXPECT_EQ(platform.Events(EventKind::kJobCreated).size(), 1U);
}

TEST_F(Campaigns, NeedAPublishedRelease) {
  const Release signing = platform.Do([](sql::Tx& tx) {
    return CreateRelease(tx, kOperator, {"virtual-1", Platform::ImageOf(1), "3.0.0", 0, 0, {}, {}});
  });
  EXPECT_EQ(ReasonOf(Create(CampaignSpec{"x", signing.id, std::vector<std::string>{"dev-1"}, kJobLifeS})),
            Reason::kConflict);
  EXPECT_EQ(ReasonOf(Create(CampaignSpec{"x", "nobody", std::vector<std::string>{"dev-1"}, kJobLifeS})),
            Reason::kNotFound);
}

TEST_F(Campaigns, TheDatabaseItselfRefusesASecondOpenJob) {  // H21
  const Campaign campaign = Must(Roll({"dev-1"}));
  EXPECT_EQ(ReasonOf(platform.Write([&](sql::Tx& tx) {
              return tx.Execute(
                  "INSERT INTO jobs (id, device, n, campaign, release, status, open, newest, to_send, expires_ms, "
                  "created_ms, updated_ms) VALUES ('x', 'dev-1', 99, ?, ?, 'queued', 1, 1, 0, 0, 0, 0)",
                  {campaign.id, release.id});
            })),
            Reason::kConflict);
}

TEST_F(Campaigns, CancelEndsWhatNoDeviceKnowsOfAndAsksTheOthers) {
  FakeDevice device(platform, "dev-1");
  device.Hello();
  const Campaign campaign = Must(Roll({"dev-1", "dev-2"}));
  ASSERT_EQ(platform.Outbox().size(), 1U);
  const Campaign cancelled =
      platform.Do([&](sql::Tx& tx) { return CancelCampaign(tx, kOperator, campaign.id, "bad"); });
  EXPECT_EQ(cancelled.state, CampaignState::kCancelled);
  EXPECT_EQ(platform.JobOf("dev-2").status, JobStatus::kCancelled);
  EXPECT_EQ(platform.JobOf("dev-1").status, JobStatus::kOffered);
  EXPECT_TRUE(platform.JobOf("dev-1").cancelling);
  const auto outbox = platform.Outbox();
  ASSERT_EQ(outbox.size(), 1U);
  const auto* cancel = std::get_if<wire::Cancel>(&outbox.front().message);
  ASSERT_NE(cancel, nullptr);
  EXPECT_EQ(cancel->reason, "campaign cancelled: bad");
  EXPECT_EQ(cancel->session, device.session);
  EXPECT_TRUE(platform.Outbox().empty());
  device.Move(1, 1, Phase::kCancelled, Reason::kCancelled);
  EXPECT_EQ(platform.JobOf("dev-1").status, JobStatus::kCancelled);
  EXPECT_EQ(platform.CampaignOf(campaign.id).state, CampaignState::kCancelled);
  for (const char* change : {"pause", "resume"}) {
    EXPECT_EQ(ReasonOf(platform.Write([&](sql::Tx& tx) {
                return *change == 'p' ? PauseCampaign(tx, kOperator, campaign.id, "")
                                      : ResumeCampaign(tx, kOperator, campaign.id, "");
              })),
              Reason::kConflict);
  }
}

TEST_F(Campaigns, APausedOneOffersNothingUntilItIsResumed) {
  FakeDevice device(platform, "dev-1");
  device.Hello();
  const Campaign campaign = Must(Roll({"dev-1", "dev-2"}));
  platform.Do([&](sql::Tx& tx) { return PauseCampaign(tx, kOperator, campaign.id, "wait"); });
  EXPECT_TRUE(platform.Outbox().empty());
  EXPECT_EQ(platform.JobOf("dev-1").waiting, "the campaign is paused");
  FakeDevice late(platform, "dev-2", 8);
  EXPECT_FALSE(late.Hello()->job.has_value());
  platform.Do([&](sql::Tx& tx) { return ResumeCampaign(tx, kOperator, campaign.id, ""); });
  EXPECT_EQ(platform.Outbox().size(), 2U);
}

TEST_F(Campaigns, AreCompleteWhenEveryNewestJobIsOver) {
  const Campaign campaign = Must(Roll({"dev-1", "dev-2"}));
  Must(Lose(platform.JobOf("dev-1").id));
  EXPECT_EQ(platform.CampaignOf(campaign.id).state, CampaignState::kRunning);
  Must(Cancel(platform.JobOf("dev-2").id));
  EXPECT_EQ(platform.CampaignOf(campaign.id).state, CampaignState::kComplete);
  ASSERT_EQ(platform.Events(EventKind::kCampaignComplete).size(), 1U);
  EXPECT_EQ(platform.Events(EventKind::kCampaignComplete).front().text,
            "campaign roll out is complete: 0 of 2 succeeded");
}

TEST_F(Campaigns, ARetryIsANewJobAndRunsTheCampaignAgain) {
  const Campaign campaign = Must(Roll({"dev-1", "dev-2"}));
  const Job first = platform.JobOf("dev-1");
  EXPECT_EQ(ReasonOf(Retry(first.id)), Reason::kConflict);  // still open
  Must(Lose(first.id));
  Must(Cancel(platform.JobOf("dev-2").id));
  const auto retried = platform.Do([&](sql::Tx& tx) { return RetryCampaign(tx, kOperator, campaign.id); });
  ASSERT_EQ(retried.size(), 1U);  // cancelled ones only if asked for
  EXPECT_EQ(retried.front().device, "dev-1");
  EXPECT_EQ(retried.front().n, 2U);
  EXPECT_EQ(platform.CampaignOf(campaign.id).state, CampaignState::kRunning);
  EXPECT_EQ(platform.CampaignOf(campaign.id).counts.of(JobStatus::kLost), 0U);  // the newest of each target counts
  EXPECT_EQ(ReasonOf(Retry(first.id)), Reason::kConflict);                      // tried again already
}

TEST_F(Campaigns, ARetryOfATimedOutJobGivesTheOldOneUp) {
  FakeDevice device(platform, "dev-1");
  device.Hello();
  const Campaign campaign = Must(Roll({"dev-1"}));
  ASSERT_EQ(platform.Outbox().size(), 1U);
  const Job first = platform.JobOf("dev-1");
  EXPECT_EQ(ReasonOf(Retry(first.id)), Reason::kConflict);
  platform.Pass(kAcknowledgeWithinS);
  EXPECT_EQ(platform.Do([](sql::Tx& tx) { return MarkTimedOut(tx); }), 1U);
  const Job second = Must(Retry(first.id));
  EXPECT_EQ(second.n, 2U);
  EXPECT_EQ(platform.Do([&](sql::Tx& tx) { return GetJob(tx, first.id); }).status, JobStatus::kLost);
  EXPECT_EQ(platform.CampaignOf(campaign.id).state, CampaignState::kRunning);
  EXPECT_TRUE(platform.Events(EventKind::kCampaignComplete).empty());
  const auto outbox = platform.Outbox();
  ASSERT_EQ(outbox.size(), 1U);
  EXPECT_EQ(std::get<wire::JobOffer>(outbox.front().message).job.n, 2U);
  // A late truth about the old one is still believed.
  device.Move(1, 1, Phase::kRefused, Reason::kImageTooLarge);
  EXPECT_EQ(platform.Do([&](sql::Tx& tx) { return GetJob(tx, first.id); }).status, JobStatus::kRefused);
}

TEST_F(Campaigns, AJobGivenUpIsTakenFromAConnectedDevice) {
  FakeDevice device(platform, "dev-1");
  device.Hello();
  Must(Roll({"dev-1"}));
  platform.Outbox();
  device.Move(1, 1, Phase::kDownloading);
  Must(Lose(platform.JobOf("dev-1").id));
  const auto outbox = platform.Outbox();
  ASSERT_EQ(outbox.size(), 1U);
  EXPECT_EQ(std::get<wire::Cancel>(outbox.front().message).job, 1U);
}

TEST_F(Campaigns, AReasonThatNoDeviceWouldTakeIsRefused) {
  const Campaign campaign = Must(Roll({"dev-1"}));
  const std::string essay(kMaxReasonBytes + 1, 'x');
  EXPECT_EQ(ReasonOf(platform.Write([&](sql::Tx& tx) { return CancelCampaign(tx, kOperator, campaign.id, essay); })),
            Reason::kInvalidArgument);
  const std::string job = platform.JobOf("dev-1").id;
  EXPECT_EQ(ReasonOf(platform.Write([&](sql::Tx& tx) { return CancelJob(tx, kOperator, job, essay); })),
            Reason::kInvalidArgument);
}

TEST_F(Campaigns, WhatTheRulesForbidIsAConflict) {
  FakeDevice device(platform, "dev-1");
  device.Hello();
  Must(Roll({"dev-1"}));
  platform.Outbox();
  device.Move(1, 1, Phase::kVerified);
  device.Ready(1, 1);
  device.Move(1, 1, Phase::kCommitted);
  const std::string job = platform.JobOf("dev-1").id;
  EXPECT_EQ(ReasonOf(Cancel(job)), Reason::kConflict);  // too late
  EXPECT_EQ(ReasonOf(Retry(job)), Reason::kConflict);
  device.Move(1, 1, Phase::kTrial);
  device.Move(1, 1, Phase::kSucceeded);
  EXPECT_EQ(ReasonOf(Lose(job)), Reason::kConflict);
  EXPECT_EQ(ReasonOf(Cancel("nobody")), Reason::kNotFound);
}

TEST_F(Campaigns, TheDeadlineRunsOnlyWhileTheDeviceIsConnectedAndActive) {
  FakeDevice device(platform, "dev-1");
  device.Hello();
  Must(Roll({"dev-1", "dev-2"}));
  ASSERT_EQ(platform.Outbox().size(), 1U);
  const auto mark = [&] { return platform.Do([](sql::Tx& tx) { return MarkTimedOut(tx); }); };
  platform.Pass(kAcknowledgeWithinS - 1);
  EXPECT_EQ(mark(), 0U);
  device.Disconnect();
  platform.Pass(3600);
  EXPECT_EQ(mark(), 0U);
  EXPECT_TRUE(device.Hello()->job.has_value());  // offered again: the deadline starts anew
  EXPECT_EQ(mark(), 0U);
  platform.Pass(kAcknowledgeWithinS);
  EXPECT_EQ(mark(), 1U);
  EXPECT_EQ(mark(), 0U);  // once
  ASSERT_EQ(platform.Events(EventKind::kJobTimedOut).size(), 1U);
  EXPECT_EQ(platform.Events(EventKind::kJobTimedOut).front().severity, Severity::kAlert);
  EXPECT_TRUE(platform.JobOf("dev-1").timed_out);
  EXPECT_EQ(platform.JobOf("dev-1").status, JobStatus::kOffered);
  device.Move(1, 1, Phase::kAccepted);
  EXPECT_FALSE(platform.JobOf("dev-1").timed_out);
}

TEST_F(Campaigns, AnExpiredJobIsCancelledAsFarAsItsDeviceHasNotCommitted) {
  FakeDevice device(platform, "dev-1"), committed(platform, "dev-3", 7);
  device.Hello();
  committed.Hello();
  Must(Roll({"dev-1", "dev-2", "dev-3"}));
  platform.Outbox();
  committed.Move(1, 1, Phase::kVerified);
  committed.Ready(1, 1);
  committed.Move(1, 1, Phase::kCommitted);
  platform.Pass(kJobLifeS);
  platform.Do([](sql::Tx& tx) { return MarkTimedOut(tx); });
  EXPECT_EQ(platform.JobOf("dev-2").status, JobStatus::kCancelled);
  EXPECT_EQ(platform.JobOf("dev-2").detail, "the job expired");
  EXPECT_TRUE(platform.JobOf("dev-1").cancelling);
  EXPECT_TRUE(platform.JobOf("dev-1").timed_out);
  EXPECT_FALSE(platform.JobOf("dev-3").cancelling);
  EXPECT_EQ(platform.Do([](sql::Tx& tx) { return MarkTimedOut(tx); }), 0U);
}

TEST_F(Campaigns, DecommissioningADeviceGivesItsJobUp) {
  Must(Roll({"dev-1"}));
  platform.Do([](sql::Tx& tx) { return ChangeDeviceState(tx, kOperator, "dev-1", DeviceAction::kDecommission, "x"); });
  EXPECT_EQ(platform.JobOf("dev-1").status, JobStatus::kLost);
}

TEST_F(Campaigns, JobsAreListedByCampaignDeviceAndState) {
  const Campaign campaign = Must(Roll({"dev-1", "dev-2", "dev-3"}));
  Must(Lose(platform.JobOf("dev-2").id));
  const auto count = [&](const JobFilter& filter, std::size_t limit) {
    std::size_t total = 0;
    PageRequest page{limit, {}};
    while (true) {
      const auto got = platform.Do([&](sql::Tx& tx) { return ListJobs(tx, filter, page); });
      EXPECT_LE(got.items.size(), limit);
      total += got.items.size();
      if (!got.next) return total;
      page.after = *got.next;
    }
  };
  EXPECT_EQ(count({.campaign = campaign.id}, 1), 3U);
  EXPECT_EQ(count({.device = "dev-1"}, 10), 1U);
  EXPECT_EQ(count({.status = JobStatus::kLost}, 10), 1U);
  EXPECT_EQ(count({.campaign = "nobody"}, 10), 0U);
  EXPECT_FALSE(platform.Do([](sql::Tx& tx) { return CurrentJob(tx, "dev-2"); }).has_value());
  EXPECT_TRUE(platform.Do([](sql::Tx& tx) { return CurrentJob(tx, "dev-1"); }).has_value());
}

}  // namespace
}  // namespace pawl::data
