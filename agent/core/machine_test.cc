#include "agent/core/machine.h"

#include <gtest/gtest.h>

#include <set>

#include "agent/core/machine_test_world.h"
#include "agent/core/snapshot.h"

namespace pawl::agent {
namespace {

wire::Phase PhaseIn(const World& world) { return Snapshot(world.state.ledger, world.Facts()).job.value().phase; }
wire::JobState JobIn(const World& world) { return Snapshot(world.state.ledger, world.Facts()).job.value(); }

template <class T>
const T* LastSent(const World& world) {
  for (auto it = world.sent.rbegin(); it != world.sent.rend(); ++it) {
    if (const T* message = std::get_if<T>(&*it)) return message;
  }
  return nullptr;
}

class Machine : public testing::Test {
 protected:
  void Connect(bool with_job = false) {
    world.Feed(event::LinkUp{});
    world.Feed(world.WelcomeFor(with_job));
  }
  void UntilReady() {
    Connect(true);
    world.Feed(event::FetchBegan{});
    world.FinishBackground();
    world.FinishBackground();
    ASSERT_EQ(world.state.activity, Activity::kReady);
    world.Tick(false);
  }
  // The new image runs in its trial.
  void UntilTrial() {
    UntilReady();
    world.Feed(world.PermitNow());
    ASSERT_EQ(world.state.activity, Activity::kCommitted);
    world.Feed(world.AckNow());
    ASSERT_EQ(world.mode, BootMode::kTrial);
  }

  World world{1};
};

TEST_F(Machine, GoesFromJobToConfirmedInItsSteps) {
  UntilTrial();
  EXPECT_EQ(PhaseIn(world), wire::Phase::kTrial);
  EXPECT_EQ(world.running, Slot::kB);
  Connect();
  world.FinishBackground();
  EXPECT_EQ(world.state.activity, Activity::kIdle);
  const wire::JobState job = JobIn(world);
  EXPECT_EQ(job.phase, wire::Phase::kSucceeded);
  std::vector<wire::Phase> phases;
  for (const wire::Step& step : job.steps) phases.push_back(step.phase);
  using enum wire::Phase;
  EXPECT_EQ(phases, (std::vector{kAccepted, kDownloading, kVerified, kCommitted, kTrial, kSucceeded}));
}

TEST_F(Machine, AFailedSelfTestFallsBackAndOwesTheRollbackUntilThePlatformHasIt) {
  world.tests_pass = false;
  UntilTrial();
  world.FinishBackground();
  EXPECT_EQ(world.running, Slot::kA);
  EXPECT_EQ(world.mode, BootMode::kNormal);
  EXPECT_TRUE(world.record.owed);
  EXPECT_EQ(PhaseIn(world), wire::Phase::kRolledBack);
  EXPECT_EQ(JobIn(world).detail, "peripheral:adc");
  world.Feed(event::LinkUp{});
  ASSERT_TRUE(LastSent<wire::Hello>(world)->state.owed);
  world.Feed(world.WelcomeFor(false));  // its ack settles
  EXPECT_FALSE(world.record.owed);
  EXPECT_EQ(PhaseIn(world), wire::Phase::kRolledBack);
  EXPECT_FALSE(LastSent<wire::StateReport>(world)->state.owed);
}

TEST_F(Machine, AnOldAckSettlesNothing) {
  world.tests_pass = false;
  UntilTrial();
  world.FinishBackground();
  world.Feed(event::LinkUp{});
  event::Welcome welcome = world.WelcomeFor(false);
  welcome.ack.settled.trial = world.record.trial - 1;
  world.Feed(welcome);
  EXPECT_TRUE(world.record.owed);
}

TEST_F(Machine, RefusesAManifestWithNothingFetched) {
  world.new_release.envelope.back() ^= 1;
  Connect(true);
  EXPECT_EQ(world.state.activity, Activity::kIdle);
  EXPECT_FALSE(world.fetching());
  EXPECT_EQ(JobIn(world).phase, wire::Phase::kRefused);
  EXPECT_EQ(LastSent<wire::StateReport>(world)->state.job->phase, wire::Phase::kRefused);
}

TEST_F(Machine, RefusesADowngradeAndWhatRunsAlready) {
  world.new_release = world.Make(5, {.stage_number = {}}, 0x03);
  Connect(true);
  EXPECT_EQ(JobIn(world).reason, Reason::kDowngrade);
  world.new_release = world.Make(8, {.major = 3, .stage_number = {}}, 0x01);
  world.job_n = 2;
  world.Feed(event::JobOffer{world.session, world.JobFor(world.new_release)});
  EXPECT_EQ(JobIn(world).reason, Reason::kAlreadyRunning);
  EXPECT_EQ(JobIn(world).n, 2U);
}

TEST_F(Machine, ABadChunkEndsTheJobWithItsReason) {
  Connect(true);
  world.Feed(event::FetchFailed{{Reason::kChunkDigest, "chunk 3 of 9 came wrong 4 times"}});
  EXPECT_EQ(JobIn(world).phase, wire::Phase::kRefused);
  EXPECT_EQ(JobIn(world).reason, Reason::kChunkDigest);
  EXPECT_EQ(JobIn(world).detail, "chunk 3 of 9 came wrong 4 times");
}

TEST_F(Machine, ACancelStopsItAndTheJobStaysDead) {
  Connect(true);
  world.Feed(event::Cancel{world.session, 1, "halted"});
  EXPECT_FALSE(world.fetching());
  EXPECT_EQ(JobIn(world).phase, wire::Phase::kCancelled);
  EXPECT_EQ(JobIn(world).detail, "halted");
  world.Feed(event::JobOffer{world.session, world.JobFor(world.new_release)});
  EXPECT_FALSE(world.fetching());
  EXPECT_EQ(LastSent<wire::StateReport>(world)->state.job->phase, wire::Phase::kCancelled);
}

TEST_F(Machine, AJobThatThePlatformNoLongerHasIsDropped) {
  UntilReady();
  world.Feed(event::LinkDown{});
  Connect(false);
  EXPECT_EQ(JobIn(world).phase, wire::Phase::kCancelled);
}

TEST_F(Machine, AfterTheCommitNoCancelCounts) {
  UntilReady();
  world.Feed(world.PermitNow());
  world.Feed(event::Cancel{world.session, 1, "too late"});
  EXPECT_EQ(PhaseIn(world), wire::Phase::kCommitted);
  world.Tick(true);
  EXPECT_EQ(world.mode, BootMode::kTrial);
}

TEST_F(Machine, RebootsTenSecondsAfterTheCommitWithoutAnAck) {
  UntilReady();
  world.Feed(world.PermitNow());
  const std::uint64_t committed = world.now.ms;
  EXPECT_EQ(Deadline(world.state), committed + kAckWaitMs);
  world.Tick(true);
  EXPECT_EQ(world.resets, 1);
  EXPECT_EQ(world.mode, BootMode::kTrial);
}

TEST_F(Machine, APermitCountsOnceAndForTheLatestReadyOnly) {
  UntilReady();
  const auto first = world.PermitNow();
  world.now.ms = world.state.ready_ms;
  world.Tick(false);  // another ready, another nonce
  world.Feed(first);
  EXPECT_EQ(world.state.activity, Activity::kReady);
  world.Feed(world.PermitNow());
  EXPECT_EQ(world.state.activity, Activity::kCommitted);
}

TEST_F(Machine, EveryReadyHasANewNonceAndWaitsBetween30SecondsAnd10Minutes) {
  UntilReady();
  std::set<Nonce> nonces{LastSent<wire::Ready>(world)->nonce};
  for (int i = 0; i < 50; ++i) {
    const std::uint64_t before = world.now.ms;
    world.now.ms = world.state.ready_ms;
    EXPECT_GE(world.now.ms - before, 30'000U);
    EXPECT_LE(world.now.ms - before, 600'000U);
    world.Tick(false);
    EXPECT_TRUE(nonces.insert(LastSent<wire::Ready>(world)->nonce).second);
  }
}

TEST_F(Machine, AWrongPermitIsToldOnceAndTheGenuineOneStillCounts) {
  UntilReady();
  auto forged = world.PermitNow();
  forged.permit.back() ^= 1;
  const std::uint64_t rev = world.state.ledger.rev;
  for (int i = 0; i < 5; ++i) world.Feed(forged);
  EXPECT_EQ(world.state.ledger.rev, rev + 1);
  EXPECT_EQ(JobIn(world).phase, wire::Phase::kVerified);
  EXPECT_EQ(JobIn(world).reason, Reason::kPermitSignature);
  world.Feed(world.PermitNow());
  EXPECT_EQ(world.state.activity, Activity::kCommitted);
  EXPECT_EQ(JobIn(world).reason, Reason::kNone);
}

TEST_F(Machine, NoPermitYetMeansToWaitAsLongAsThePlatformSays) {
  UntilReady();
  world.Feed(event::PermitAnswer{world.session, 1, {}, 100, "HSM down"});
  EXPECT_GE(world.state.ready_ms, world.now.ms + 100'000);
  EXPECT_LE(world.state.ready_ms, world.now.ms + 110'000);
  world.Feed(event::PermitAnswer{world.session, 1, {}, UINT32_MAX, ""});
  EXPECT_LE(world.state.ready_ms, world.now.ms + 4'000'000);
}

TEST_F(Machine, MessagesOfAnotherSessionAreDropped) {
  UntilReady();
  auto permit = world.PermitNow();
  permit.session ^= 2;
  world.Feed(permit);
  world.Feed(event::Cancel{world.session ^ 2, 1, "?"});
  world.Feed(event::JobOffer{world.session ^ 2, world.JobFor(world.new_release)});
  EXPECT_EQ(world.state.activity, Activity::kReady);
  event::Welcome stale = world.WelcomeFor(false);
  stale.nonce[0] ^= 1;
  world.Feed(stale);
  EXPECT_EQ(world.state.activity, Activity::kReady);
}

TEST_F(Machine, ARestartedAgentWithPendingSetRebootsAtOnce) {
  UntilReady();
  world.Feed(world.PermitNow());
  State restarted = Begin(world.device, world.Facts(), world.disk, {});
  const Step step = Advance(restarted, {event::Started{}, {}}, world.now);
  ASSERT_EQ(step.actions.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<action::Reboot>(step.actions[0]));
  EXPECT_EQ(step.next.activity, Activity::kRebooting);
}

TEST_F(Machine, TrialFirmwareTakesNoJobAndAsksForItOnceItIsConfirmed) {
  UntilTrial();
  world.job_n = 2;
  Connect(true);
  EXPECT_EQ(world.state.activity, Activity::kTesting);
  EXPECT_EQ(JobIn(world).n, 1U);
  const Nonce hello = LastSent<wire::Hello>(world)->nonce;
  world.FinishBackground();
  EXPECT_NE(LastSent<wire::Hello>(world)->nonce, hello);
}

TEST_F(Machine, AnUnprovenImageTestsItselfAgainInsteadOfRollingBack) {
  world.record.proven = false;
  world.PowerOn(ResetCause::kPower);
  ASSERT_EQ(world.mode, BootMode::kUnproven);
  world.Feed(event::TestFailed{Reason::kNoLink, "connectivity"});
  EXPECT_EQ(world.state.activity, Activity::kTesting);
  world.testing = false;
  world.Tick(true);
  EXPECT_TRUE(world.testing);
  world.FinishBackground();
  EXPECT_TRUE(world.record.proven);
  EXPECT_EQ(world.state.activity, Activity::kIdle);
}

TEST_F(Machine, ALostLedgerStillKnowsTheTrialsJobByTheRecord) {
  UntilTrial();
  world.disk.reset();
  world.PowerOn(ResetCause::kPower);
  world.FinishBackground();
  EXPECT_EQ(JobIn(world).n, 1U);
  EXPECT_EQ(JobIn(world).phase, wire::Phase::kSucceeded);
}

TEST_F(Machine, TheTimeFloorFollowsThePlatformButNeverAboveTheCasLife) {
  EXPECT_EQ(TimeFloor(world.state), 1'700'000'000U);
  Connect();
  EXPECT_EQ(TimeFloor(world.state), 1'750'000'000U);
  EXPECT_EQ(world.disk->time_floor, 1'750'000'000U);
  world.device.time_max = 1'800'000'000;
  world.Feed(event::LinkDown{});
  world.Feed(event::LinkUp{});
  event::Welcome welcome = world.WelcomeFor(false);
  welcome.time = UINT64_MAX;
  world.Feed(welcome);
  EXPECT_EQ(TimeFloor(world.state), 1'750'000'000U);
  EXPECT_EQ(DeviceTime(world.state, {0, 5}), 1'750'000'000U);
}

TEST_F(Machine, AnExpiredReleaseIsRefusedWhateverTheClockSays) {
  world.state.ledger.time_floor = 1'798'761'601;
  world.now.wall_s = 5;
  Connect(true);
  EXPECT_EQ(JobIn(world).reason, Reason::kExpired);
}

TEST_F(Machine, TheFloorIsRaisedOnlyAsFarAsTheRunningImageReaches) {
  for (const std::uint32_t value : {4U, 3U}) {
    world.Feed(event::LinkUp{});
    event::Welcome welcome = world.WelcomeFor(false);
    welcome.raise_floor = true;
    welcome.floor = value;
    world.Feed(welcome);
    EXPECT_EQ(world.record.floor, value == 3 ? 3U : 0U);
  }
}

TEST_F(Machine, UnansweredMessagesAreSentAgainWithGrowingWaits) {
  world.Feed(event::LinkUp{});
  std::size_t count = world.sent.size();
  for (int i = 0; i < 20; ++i) {
    const std::uint64_t before = world.now.ms;
    world.Tick(true);
    EXPECT_EQ(world.sent.size(), ++count);
    EXPECT_GE(world.now.ms - before, kReplyMinMs);
    EXPECT_LE(world.now.ms - before, kReplyMinMs + kReplyBackoff.cap_ms);
  }
}

TEST_F(Machine, AHelloNamesTheGatewayThatSpeaksForTheDevice) {
  world.Feed(event::LinkUp{});
  EXPECT_EQ(LastSent<wire::Hello>(world)->via, "");
  world.device.via = "gateway-01";
  world.Feed(event::LinkDown{});
  world.Feed(event::LinkUp{});
  EXPECT_EQ(LastSent<wire::Hello>(world)->via, "gateway-01");
}

TEST_F(Machine, AnAckOfAForeignJournalBringsAnotherHello) {
  Connect();
  event::Ack ack = world.AckNow();
  ack.journal[0] ^= 1;
  world.Feed(ack);
  const std::size_t before = world.sent.size();
  world.Tick(true);
  ASSERT_EQ(world.sent.size(), before + 1);
  EXPECT_TRUE(std::holds_alternative<wire::Hello>(world.sent.back()));
}

TEST_F(Machine, AFullDataPartitionStopsTheJobAndItGoesOnWhenThereIsRoom) {
  Connect();
  world.disk_fails = 1;
  world.Feed(event::JobOffer{world.session, world.JobFor(world.new_release)});
  EXPECT_EQ(world.state.activity, Activity::kIdle);
  EXPECT_FALSE(world.state.link);
  world.disk_fails = 0;
  Connect(true);
  EXPECT_EQ(world.state.activity, Activity::kFetching);
  EXPECT_TRUE(world.fetching());
}

// --- the table as a whole ---

std::vector<Happening> EveryKindOfEvent(World& world) {
  event::ManifestHolds holds{world.JobFor(world.new_release), world.new_release.manifest, world.new_release.digest};
  return {event::Started{},
          event::LinkUp{},
          event::LinkDown{},
          world.WelcomeFor(true),
          event::JobOffer{},
          event::Cancel{},
          world.AckNow(),
          world.PermitNow(),
          event::Tick{},
          event::FetchBegan{},
          event::Progress{},
          event::Fetched{},
          event::FetchFailed{},
          event::Sealed{},
          event::SealFailed{},
          event::BootChanged{world.Facts()},
          event::BootRefused{},
          event::TestsPassed{},
          event::TestFailed{},
          event::LedgerFailed{},
          event::NoJob{},
          event::Job{},
          holds,
          event::ManifestRefused{},
          event::PermitHolds{},
          event::PermitWrong{},
          event::PermitLate{},
          event::PermitWait{},
          event::RaiseFloor{}};
}

// From every activity that a device passes through, every kind of event leads somewhere defined; one without a row
// changes nothing.
TEST(MachineTable, IsTotal) {
  World world(3);
  std::vector<State> states;
  const auto note = [&] { states.push_back(world.state); };
  states.push_back(Begin(world.device, world.Facts(), world.disk, {}));
  note();
  world.Feed(event::LinkUp{});
  note();
  world.Feed(world.WelcomeFor(true));
  note();
  world.FinishBackground();
  note();
  world.FinishBackground();
  world.Tick(false);
  note();
  const Step committing = Advance(world.state, {world.PermitNow(), {}}, world.now);
  states.push_back(committing.next);
  world.Feed(world.PermitNow());
  note();
  states.push_back(Advance(world.state, {world.AckNow(), {}}, world.now).next);
  world.Feed(world.AckNow());
  note();
  std::set<Activity> seen;
  int ignored = 0;
  for (const State& state : states) {
    seen.insert(state.activity);
    for (const Happening& what : EveryKindOfEvent(world)) {
      const Event event{what, {}};
      const Step step = Advance(state, event, world.now);
      if (RowFor(state, event, world.now)) continue;
      ++ignored;
      EXPECT_TRUE(step.actions.empty());
      EXPECT_EQ(step.next.activity, state.activity);
      EXPECT_EQ(step.next.ledger.rev, state.ledger.rev);
    }
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(Activity::kCount));
  EXPECT_GT(ignored, 50);
}

TEST(MachineTable, HasNoRowWithoutAnEventOrActivityAndNoIdTwice) {
  std::set<std::string_view> ids;
  for (const TransitionRow& row : Transitions()) {
    EXPECT_NE(row.from, 0U);
    EXPECT_NE(row.on, 0U);
    EXPECT_TRUE(ids.insert(row.id).second) << row.id;
  }
}

// --- properties: random orders of events, power cuts before any action, a data partition that fails at times ---

struct Chaos {
  double cut;
  double disk_fails;
  bool tests_pass;
};

void Play(World& world, int steps) {
  for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
    world.now.ms += world.Random(2000);
    switch (world.Random(16)) {
      case 0:
        world.Feed(event::LinkUp{});
        break;
      case 1:
        world.Feed(event::LinkDown{});
        break;
      case 2:
      case 3:
        world.Feed(world.WelcomeFor(world.Random(8) != 0));
        break;
      case 4:
        world.Feed(world.AckNow());
        break;
      case 5:
      case 6:
        world.Feed(world.PermitNow());
        break;
      case 7:
        world.Tick(true);
        break;
      case 8:
        world.Tick(false);
        break;
      case 9:
        world.Feed(event::FetchBegan{});
        break;
      case 10:
      case 11:
        world.FinishBackground();
        break;
      case 12:
        world.Feed(event::Progress{world.Random(1000)});
        break;
      case 13:
        if (world.Random(10) == 0) world.Feed(event::Cancel{world.session, world.job_n, "?"});
        break;
      case 14:
        if (world.Random(10) == 0) ++world.job_n;
        break;
      case 15: {
        std::vector<Happening> events = EveryKindOfEvent(world);
        // What only a finished self-test, seal or commit may say is left to those; derived events come from within.
        for (const EventKind kind :
             {EventKind::kSealed, EventKind::kTestsPassed, EventKind::kTestFailed, EventKind::kBootChanged}) {
          events[static_cast<std::size_t>(kind)] = event::Tick{};
        }
        events.resize(static_cast<std::size_t>(EventKind::kNoJob));
        world.Feed(events[world.Random(events.size())]);
        break;
      }
    }
  }
}

// A fair platform, no more trouble: the job in hand ends.
void PlayFair(World& world) {
  world.cut = 0;
  world.disk_fails = 0;
  ++world.job_n;
  world.Feed(event::LinkDown{});
  for (int round = 0; round < 60; ++round) {
    if (!world.state.link) world.Feed(event::LinkUp{});
    if (world.state.hello) world.Feed(world.WelcomeFor(true));
    world.Feed(event::FetchBegan{});
    world.FinishBackground();
    world.Tick(false);
    if (world.state.ready) world.Feed(world.PermitNow());
    world.Feed(world.AckNow());
    if (world.state.activity == Activity::kIdle) {  // a job may have been dropped: hello again
      world.Feed(event::LinkDown{});
    }
    const auto& job = world.state.ledger.job;
    if (job && job->n == world.job_n && wire::IsTerminal(PhaseIn(world)) && world.state.activity == Activity::kIdle)
      return;
  }
  ADD_FAILURE() << "the job did not end; activity " << Text(world.state.activity) << ", phase " << Text(PhaseIn(world))
                << ", own n " << world.state.ledger.job->n << " of " << world.job_n;
}

class MachineProperties : public testing::TestWithParam<Chaos> {};

TEST_P(MachineProperties, InvariantsHoldAndTheJobEndsAsSoonAsTheTroubleDoes) {
  for (unsigned seed = 0; seed < 80 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    World world(seed);
    world.cut = GetParam().cut;
    world.disk_fails = GetParam().disk_fails;
    world.tests_pass = GetParam().tests_pass;
    Play(world, 300);
    PlayFair(world);
  }
}

INSTANTIATE_TEST_SUITE_P(Worlds, MachineProperties,
                         testing::Values(Chaos{0, 0, true}, Chaos{0.05, 0, true}, Chaos{0.3, 0, true},
                                         Chaos{0.05, 0, false}, Chaos{0, 0.1, true}, Chaos{0.05, 0.1, false}));

}  // namespace
}  // namespace pawl::agent
