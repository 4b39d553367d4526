// The device channel: what a device's messages change, and what it is answered.
#include "platform/io/data/reports.h"

#include <gtest/gtest.h>

#include <random>

#include "platform/io/data/test_platform.h"

namespace pawl::data {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)
using testing::Platform;
using wire::Phase;

class Channel : public ::testing::Test {
 protected:
  Channel() {
    platform.MakeClass();
    platform.MakeActive("dev-1");
    release = platform.MakeRelease();
  }
  // The job, sent and verified by the device.
  void GoToVerified() {
    device.Hello();
    campaign = platform.Start({"dev-1"}, release);
    ASSERT_EQ(platform.Outbox().size(), 1U);
    ASSERT_TRUE(device.Move(1, 1, Phase::kAccepted));
    ASSERT_TRUE(device.Move(1, 1, Phase::kVerified));
  }
  JobStatus Status() { return platform.JobOf("dev-1").status; }

  Platform platform;
  Release release;
  Campaign campaign;
  FakeDevice device{platform, "dev-1"};
};

TEST_F(Channel, AHelloIsWelcomedStoredAndAcknowledged) {
  platform.Pass(5);
  const auto welcome = device.Hello();
  ASSERT_TRUE(welcome.has_value());
  EXPECT_EQ(welcome->nonce, device.last_hello.nonce);
  EXPECT_NE(welcome->session, 0U);
  EXPECT_EQ(welcome->time, static_cast<std::uint64_t>(kStartMs / 1000 + 5));
  EXPECT_EQ(welcome->ack, (wire::Ack{welcome->session, device.state.journal, 1, {}}));
  EXPECT_FALSE(welcome->job.has_value());
  const Device row = platform.DeviceOf("dev-1");
  EXPECT_TRUE(row.connected);
  EXPECT_EQ(row.told, device.state);
  EXPECT_EQ(row.agent, "0.1.0");
  EXPECT_EQ(row.last_seen_ms, kStartMs + 5000);
  EXPECT_EQ(row.attributes, (std::vector<wire::Attribute>{{"site", "north"}}));
  EXPECT_EQ(platform.Events(EventKind::kDeviceConnected).size(), 1U);
}

TEST_F(Channel, EachHelloSaysThroughWhichGatewayTheDeviceSpeaks) {
  const auto hello_via = [&](const std::string& via) {
    wire::Hello hello = device.last_hello;
    RandomBytes(hello.nonce);
    hello.via = via;
    device.Send(hello);
    return platform.DeviceOf("dev-1").via;
  };
  device.Hello();
  EXPECT_EQ(platform.DeviceOf("dev-1").via, "");
  EXPECT_TRUE(platform.Events(EventKind::kDeviceVia).empty());
  EXPECT_EQ(hello_via("gw-7"), "gw-7");
  EXPECT_EQ(hello_via("gw-7"), "gw-7");
  EXPECT_EQ(hello_via(""), "");
  const auto events = platform.Events(EventKind::kDeviceVia);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].text, "dev-1 speaks through the gateway gw-7 now");
  EXPECT_EQ(events[1].text, "dev-1 speaks for itself now");
  EXPECT_EQ(events[1].data, R"({"via":"","before":"gw-7"})");
}

TEST_F(Channel, TheOperatorsAttributesWinOverTheDevices) {
  platform.Do([](sql::Tx& tx) {
    return CreateDevice(tx, kOperator, {"dev-2", "virtual-1", 0, {{"site", "south"}, {"owner", "x"}}});
  });
  platform.Do([](sql::Tx& tx) {
    return tx.Execute("UPDATE devices SET state = 'active', pin = ? WHERE id = 'dev-2'", {Filled<32>(1)});
  });
  FakeDevice other(platform, "dev-2", 8);
  other.Hello();
  EXPECT_EQ(platform.DeviceOf("dev-2").attributes, (std::vector<wire::Attribute>{{"site", "south"}, {"owner", "x"}}));
}

TEST_F(Channel, OnlyActiveDevicesAreAnsweredAndAPinnedClaimedOneBecomesActive) {
  const std::string token = platform.MakeClaim("dev-2");
  FakeDevice other(platform, "dev-2", 8);
  EXPECT_FALSE(other.Hello().has_value());  // no key yet
  platform.Do([&](sql::Tx& tx) -> pawl::Status {
    PAWL_TRY(BeginEnrolment(tx, "dev-2", token, Filled<32>(1)));
    return FinishEnrolment(tx, "dev-2", Filled<32>(1), "PEM", 0);
  });
  EXPECT_TRUE(other.Hello().has_value());
  EXPECT_EQ(platform.DeviceOf("dev-2").state, DeviceState::kActive);
  platform.Do([](sql::Tx& tx) { return ChangeDeviceState(tx, kOperator, "dev-2", DeviceAction::kSuspend, ""); });
  EXPECT_FALSE(other.Hello().has_value());
  EXPECT_TRUE(other.Tell().empty());
  EXPECT_FALSE(FakeDevice(platform, "nobody").Hello().has_value());
}

TEST_F(Channel, AWholeUpdateIsFollowedStepByStep) {
  GoToVerified();
  const ReadyAnswer answer = device.Ready(1, 1);
  const auto* permit = std::get_if<PermitFacts>(&answer);
  ASSERT_NE(permit, nullptr);
  EXPECT_EQ(permit->device, "dev-1");
  EXPECT_EQ(permit->manifest_digest, Platform::ManifestOf(1));
  EXPECT_EQ(permit->use_within_s, 120U);
  EXPECT_TRUE(platform.JobOf("dev-1").permitted);
  device.Move(1, 1, Phase::kCommitted);
  EXPECT_EQ(Status(), JobStatus::kCommitted);
  device.boot = Filled<16>(77);
  device.Move(1, 1, Phase::kTrial);  // the old session still holds: the device has not said hello again
  EXPECT_EQ(Status(), JobStatus::kTrial);
  EXPECT_EQ(platform.CampaignOf(campaign.id).state, CampaignState::kRunning);
  device.Move(1, 1, Phase::kSucceeded);
  EXPECT_EQ(Status(), JobStatus::kSucceeded);
  EXPECT_EQ(platform.CampaignOf(campaign.id).state, CampaignState::kComplete);
  EXPECT_EQ(platform.CampaignOf(campaign.id).counts.of(JobStatus::kSucceeded), 1U);
  for (const EventKind kind :
       {EventKind::kJobCreated, EventKind::kJobOffered, EventKind::kJobAccepted, EventKind::kJobVerified,
        EventKind::kJobPermitted, EventKind::kJobCommitted, EventKind::kJobTrial, EventKind::kJobSucceeded}) {
    EXPECT_EQ(platform.Events(kind).size(), 1U) << Text(kind);
  }
  EXPECT_FALSE(device.Hello()->job.has_value());
}

TEST_F(Channel, ARollbackIsCountedOnceSettledByNumberAndShown) {
  GoToVerified();
  device.Ready(1, 1);
  device.Move(1, 1, Phase::kCommitted);
  device.boot = Filled<16>(77);
  ++device.state.rev;
  device.state.job->phase = Phase::kRolledBack;
  device.state.owed = wire::Owed{device.state.trial, 1, Platform::ManifestOf(1), Reason::kSelfTestFailed, "net"};
  const auto welcome = device.Hello();
  ASSERT_TRUE(welcome.has_value());
  EXPECT_EQ(welcome->ack.settled.trial, device.state.trial);
  EXPECT_EQ(welcome->ack.settled.trial_job, 1U);
  const auto again = device.Tell();  // the ack was lost
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(std::get<wire::Ack>(again.front()).settled.trial, device.state.trial);
  EXPECT_EQ(Status(), JobStatus::kRolledBack);
  EXPECT_EQ(platform.JobOf("dev-1").reason, Reason::kSelfTestFailed);
  EXPECT_EQ(platform.JobOf("dev-1").detail, "net");
  ASSERT_EQ(platform.Events(EventKind::kDeviceRollback).size(), 1U);
  EXPECT_EQ(platform.Events(EventKind::kDeviceRollback).front().text, "dev-1 rolled back job 1: self-test failed, net");
  device.state.owed.reset();
  ++device.state.rev;
  EXPECT_FALSE(std::get<wire::Ack>(device.Tell().front()).settled.trial.has_value());
  EXPECT_EQ(Status(), JobStatus::kRolledBack);
}

TEST_F(Channel, ADebtStaysOwedUntilItIsDurable) {  // rule 7
  GoToVerified();
  device.Ready(1, 1);
  device.Move(1, 1, Phase::kCommitted);
  ++device.state.rev;
  device.state.owed = wire::Owed{device.state.trial, 1, Platform::ManifestOf(1), Reason::kWatchdog, ""};
  // The transaction that would store it fails: no ack leaves, and nothing of it is there.
  const auto failed = platform.Write([&](sql::Tx& tx) -> pawl::Status {
    PAWL_ASSIGN(const auto answers, HandleState(tx, "dev-1", {device.session, device.state}, platform.options));
    EXPECT_FALSE(answers.empty());
    return Fail(Reason::kStorage, "the disk is on fire");
  });
  EXPECT_FALSE(failed);
  EXPECT_EQ(Status(), JobStatus::kCommitted);
  EXPECT_TRUE(platform.Events(EventKind::kDeviceRollback).empty());
  EXPECT_EQ(device.Tell().size(), 1U);
  EXPECT_EQ(platform.Events(EventKind::kDeviceRollback).size(), 1U);
}

TEST_F(Channel, AnOfflineDeviceGetsItsJobWithItsHello) {
  campaign = platform.Start({"dev-1"}, release);
  EXPECT_TRUE(platform.Outbox().empty());
  platform.Reopen();  // nothing of it lives in memory
  const auto welcome = device.Hello();
  ASSERT_TRUE(welcome->job.has_value());
  EXPECT_EQ(welcome->job->n, 1U);
  EXPECT_EQ(welcome->job->manifest, (std::vector<std::uint8_t>{0xd8, 0x6b, 1}));
  EXPECT_EQ(welcome->job->size, 1000U);
  ASSERT_EQ(welcome->job->sources.size(), 1U);
  EXPECT_EQ(welcome->job->sources.front().url, "https://p.example/artifacts/v1/" + Hex(Platform::ImageOf(1)));
  EXPECT_EQ(welcome->job->sources.front().leaves_url, welcome->job->sources.front().url + ".leaves");
  EXPECT_EQ(Status(), JobStatus::kOffered);
  EXPECT_TRUE(platform.Outbox().empty());
  // Lost on the way: it comes again with the next hello, as the same job.
  EXPECT_EQ(device.Hello()->job->n, 1U);
  EXPECT_EQ(platform.Events(EventKind::kJobOffered).size(), 1U);
}

TEST_F(Channel, ACancelledJobIsTakenBackAtTheNextHello) {  // H16
  device.Hello();
  campaign = platform.Start({"dev-1"}, release);
  platform.Outbox();
  device.Move(1, 1, Phase::kDownloading);
  device.Disconnect();
  platform.Do([&](sql::Tx& tx) { return CancelCampaign(tx, kOperator, campaign.id, "bad"); });
  EXPECT_TRUE(platform.Outbox().empty());
  auto welcome = device.Hello();
  EXPECT_FALSE(welcome->job.has_value());
  EXPECT_TRUE(welcome->cancelled);
  EXPECT_EQ(welcome->cancel_job, 1U);
  // It verified before it heard: no permit.
  const ReadyAnswer answer = device.Ready(1, 1);
  EXPECT_EQ(std::get<wire::PermitAnswer>(answer).reason, "the job is being cancelled");
  EXPECT_FALSE(platform.JobOf("dev-1").permitted);
  device.Move(1, 1, Phase::kCancelled, Reason::kCancelled);
  EXPECT_EQ(Status(), JobStatus::kCancelled);
}

TEST_F(Channel, ACancelAtEveryPointEndsInTheTruth) {  // H20
  constexpr Phase kWay[] = {Phase::kAccepted,  Phase::kDownloading, Phase::kVerified,
                            Phase::kCommitted, Phase::kTrial,       Phase::kSucceeded};
  for (std::size_t cancel_after = 0; cancel_after < std::size(kWay); ++cancel_after) {
    const std::string id = "cancel-" + std::to_string(cancel_after);
    platform.MakeActive(id);
    FakeDevice each(platform, id, static_cast<std::uint8_t>(50 + cancel_after));
    each.Hello();
    const Campaign one = platform.Start({id}, release);
    platform.Outbox();
    bool committed = false;
    for (std::size_t i = 0; i < std::size(kWay); ++i) {
      if (kWay[i] == Phase::kCommitted && !std::holds_alternative<PermitFacts>(each.Ready(1, 1))) break;
      each.Move(1, 1, kWay[i]);
      committed |= kWay[i] == Phase::kCommitted;
      if (i == cancel_after) {
        // A conflict where the campaign is complete already.
        static_cast<void>(platform.Write([&](sql::Tx& tx) { return CancelCampaign(tx, kOperator, one.id, "stop"); }));
      }
    }
    if (!committed) each.Move(1, 1, Phase::kCancelled, Reason::kCancelled);
    const JobStatus expected = committed ? JobStatus::kSucceeded : JobStatus::kCancelled;
    EXPECT_EQ(platform.JobOf(id).status, expected) << cancel_after;
    EXPECT_EQ(committed, cancel_after >= 3) << cancel_after;
    EXPECT_EQ(platform.JobOf(id).permitted, committed) << cancel_after;
  }
}

TEST_F(Channel, ThePermitIsCreditedOnceAndSignedForEveryNonce) {
  GoToVerified();
  const ReadyAnswer first = device.Ready(1, 1, 1);
  const ReadyAnswer second = device.Ready(1, 1, 2);
  EXPECT_EQ(std::get<PermitFacts>(first).nonce, Filled<16>(1));
  EXPECT_EQ(std::get<PermitFacts>(second).nonce, Filled<16>(2));
  EXPECT_EQ(platform.Events(EventKind::kJobPermitted).size(), 1U);
  EXPECT_EQ(platform.CampaignOf(campaign.id).counts.permitted, 1U);
}

TEST_F(Channel, APausedCampaignGrantsNoPermitAndSaysSo) {
  GoToVerified();
  platform.Do([&](sql::Tx& tx) { return PauseCampaign(tx, kOperator, campaign.id, "wait"); });
  for (int i = 0; i < 2; ++i) {
    const ReadyAnswer answer = device.Ready(1, 1);
    EXPECT_EQ(std::get<wire::PermitAnswer>(answer).wait_s, 30U);
    EXPECT_EQ(std::get<wire::PermitAnswer>(answer).reason, "the campaign is paused");
  }
  EXPECT_EQ(platform.JobOf("dev-1").waiting, "the campaign is paused");
  EXPECT_EQ(platform.Events(EventKind::kPermitWaiting).size(), 1U);
  platform.Do([&](sql::Tx& tx) { return ResumeCampaign(tx, kOperator, campaign.id, ""); });
  EXPECT_TRUE(std::holds_alternative<PermitFacts>(device.Ready(1, 1)));
  EXPECT_EQ(platform.JobOf("dev-1").waiting, "");
}

TEST_F(Channel, AMissingHsmIsShownAsWhatTheJobWaitsFor) {
  GoToVerified();
  const auto permit = std::get<PermitFacts>(device.Ready(1, 1));
  const auto note = [&](std::string_view text) {
    platform.Do([&](sql::Tx& tx) { return NotePermitWaiting(tx, permit.job_id, text); });
  };
  note("HSM does not answer");
  note("HSM does not answer");
  EXPECT_EQ(platform.JobOf("dev-1").waiting, "HSM does not answer");
  EXPECT_EQ(platform.Events(EventKind::kPermitWaiting).size(), 1U);
  note("");
  EXPECT_EQ(platform.JobOf("dev-1").waiting, "");
}

TEST_F(Channel, ADeviceOfAnotherClassGetsNoPermit) {
  platform.MakeClass("virtual-2");
  device.class_name = "virtual-2";
  GoToVerified();
  EXPECT_EQ(std::get<wire::PermitAnswer>(device.Ready(1, 1)).reason, "the device says that it is of another class");
}

TEST_F(Channel, MessagesOfAnotherSessionAreDropped) {
  GoToVerified();
  const wire::Session old = device.session;
  device.Hello();
  device.session = old;
  EXPECT_FALSE(device.Move(1, 1, Phase::kCommitted));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(device.Ready(1, 1)));
  EXPECT_EQ(Status(), JobStatus::kVerified);
  platform.Do([&](sql::Tx& tx) { return StoreProgress(tx, {{"dev-1", {old, 1, 500, "download"}}}); });
  EXPECT_FALSE(platform.JobOf("dev-1").progress.has_value());
}

TEST_F(Channel, TheSameHelloAgainKeepsItsSession) {
  const auto first = device.Hello();
  const auto second = device.Send(device.last_hello);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(first->session, second->session);
  EXPECT_NE(device.Hello()->session, second->session);
}

TEST_F(Channel, TwoHoldersOfOneIdentityAreQuarantined) {  // H17
  device.Hello();
  FakeDevice copy = device;
  copy.boot = Filled<16>(66);
  ++copy.state.rev;
  EXPECT_TRUE(copy.Hello().has_value());
  device.state.trial = 1;
  ++device.state.rev;  // the same rev as the copy's, another content
  EXPECT_FALSE(device.Hello().has_value());
  EXPECT_EQ(platform.DeviceOf("dev-1").state, DeviceState::kQuarantined);
  EXPECT_EQ(platform.Events(EventKind::kDeviceIdentityFork).size(), 1U);
  EXPECT_FALSE(copy.Hello().has_value());
}

TEST_F(Channel, ALostLedgerIsAcceptedAndTold) {
  device.Hello();
  device.state.journal = Filled<16>(200);
  device.state.rev = 1;
  device.boot = Filled<16>(66);
  EXPECT_TRUE(device.Hello().has_value());
  EXPECT_EQ(platform.Events(EventKind::kDeviceLedgerLost).size(), 1U);
  EXPECT_EQ(platform.DeviceOf("dev-1").told->journal, Filled<16>(200));
}

TEST_F(Channel, AnEmergencyIsToldOnceAndSettledByItsCount) {
  device.Hello();
  device.state.emergency = wire::Emergency{1, Reason::kConfirmedInvalid};
  for (int i = 0; i < 2; ++i) {
    ++device.state.rev;
    EXPECT_EQ(std::get<wire::Ack>(device.Tell().front()).settled.emergency, 1);
  }
  EXPECT_EQ(platform.Events(EventKind::kDeviceEmergency).size(), 1U);
}

TEST_F(Channel, ARestoredPlatformPausesEveryCampaignAndNumbersGoOnAboveWhatDevicesShow) {
  platform.MakeActive("dev-2");
  campaign = platform.Start({"dev-2"}, release);
  device.state.job = wire::JobState{41, Platform::ManifestOf(1), Phase::kSucceeded, {}, {}, {}};
  device.Hello();
  EXPECT_EQ(platform.Events(EventKind::kDeviceRestoredPlatform).size(), 1U);
  EXPECT_EQ(platform.CampaignOf(campaign.id).state, CampaignState::kPaused);
  EXPECT_NE(platform.CampaignOf(campaign.id).reason, "");
  device.Hello();
  EXPECT_EQ(platform.Events(EventKind::kDeviceRestoredPlatform).size(), 1U);
  platform.Start({"dev-1"}, release);
  EXPECT_EQ(platform.JobOf("dev-1").n, 42U);
}

TEST_F(Channel, ProgressIsShownAndBelongsToTheSession) {
  GoToVerified();
  platform.Do([&](sql::Tx& tx) { return StoreProgress(tx, {{"dev-1", {device.session, 1, 500, "download"}}}); });
  const auto progress = platform.JobOf("dev-1").progress;
  ASSERT_TRUE(progress.has_value());
  EXPECT_EQ(progress->bytes, 500U);
  EXPECT_EQ(progress->total, 1000U);
}

TEST_F(Channel, AConnectionThatOutlivedPawldIsFoundAgainByItsNextMessage) {
  device.Hello();
  platform.Do([](sql::Tx& tx) { return DisconnectedAll(tx); });
  campaign = platform.Start({"dev-1"}, release);
  EXPECT_TRUE(platform.Outbox().empty());
  ++device.state.rev;
  const auto answers = device.Tell();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<wire::Ack>(answers[0]));
  EXPECT_EQ(std::get<wire::JobOffer>(answers[1]).job.n, 1U);
  EXPECT_TRUE(platform.Outbox().empty());
}

TEST_F(Channel, NothingIsSentToASuspendedDevice) {
  device.Hello();
  campaign = platform.Start({"dev-1"}, release);
  platform.Do([](sql::Tx& tx) { return ChangeDeviceState(tx, kOperator, "dev-1", DeviceAction::kSuspend, ""); });
  EXPECT_TRUE(platform.Outbox().empty());
  EXPECT_EQ(platform.JobOf("dev-1").waiting, "the device is suspended");
  device.Disconnect();
  platform.Do([](sql::Tx& tx) { return ChangeDeviceState(tx, kOperator, "dev-1", DeviceAction::kActivate, ""); });
  EXPECT_TRUE(device.Hello()->job.has_value());
}

// Random devices that lose acks, repeat, reboot and lose connections; whatever happens, at the end the rows say what
// the devices know. Seeds are fixed: a failure is reproducible.
TEST_F(Channel, AfterAnyTroubleTheRowsSayWhatTheDevicesKnow) {
  for (std::uint32_t seed = 1; seed <= 30; ++seed) {
    std::mt19937 random(seed);
    const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
    const std::string id = "swarm-" + std::to_string(seed);
    platform.MakeActive(id);
    FakeDevice each(platform, id, static_cast<std::uint8_t>(seed));
    each.Hello();
    platform.Start({id}, release);
    const bool fails = chance(40);
    Phase phase = Phase::kAccepted;
    std::uint8_t boot = 100;
    while (each.session == 0 || !wire::IsTerminal(phase)) {
      if (chance(20)) each.Disconnect();
      if (chance(20)) each.Hello();
      if (chance(20)) platform.Outbox();
      if (phase == Phase::kVerified && !std::holds_alternative<PermitFacts>(each.Ready(1, 1))) {
        each.Hello();
        continue;
      }
      phase = phase == Phase::kTrial && fails ? Phase::kRolledBack : static_cast<Phase>(static_cast<int>(phase) + 1);
      if (phase == Phase::kTrial) each.boot = Filled<16>(boot++);
      const wire::Session session = each.session;
      if (chance(30)) each.session = 0;  // the message is lost
      each.Move(1, 1, phase, phase == Phase::kRolledBack ? Reason::kCrash : Reason::kNone);
      each.session = session;
      if (chance(30)) each.Tell();
    }
    each.Hello();
    EXPECT_EQ(platform.JobOf(id).status, fails ? JobStatus::kRolledBack : JobStatus::kSucceeded) << seed;
    EXPECT_EQ(platform.DeviceOf(id).told, each.state) << seed;
  }
  EXPECT_TRUE(platform.Events(EventKind::kDeviceIdentityFork).empty());
  EXPECT_TRUE(platform.Events(EventKind::kDeviceRestoredPlatform).empty());
}

}  // namespace
}  // namespace pawl::data
