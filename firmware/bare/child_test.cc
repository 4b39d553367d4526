// What the firmware does by itself: self-tests, confirm and rollback, feeding; the whole flow, and power cuts in it.
#include "firmware/bare/test_device.h"

namespace pawl::firmware {
namespace {

using test::Device;
using test::MakeRelease;
using test::Release;
using ::testing::Test;

// Runs release 1 from slot A, confirmed and proven.
void MakeProven(Device& device) {
  device.Install(Slot::kA, MakeRelease(1));
  device.Start();
  device.RunTests();
  device.Start(ResetCause::kSoftware);
  ASSERT_EQ(device.machine.booted()->hand_off.mode, BootMode::kNormal);
}
// Up to the reset into the trial.
void BeginTrial(Device& device, const Release& release) {
  device.Stage(release);
  ASSERT_EQ(device.WhyNot(serial::Seal{}), Reason::kNone);
  ASSERT_EQ(device.WhyNot(serial::Pending{7, release.digest}), Reason::kNone);
  ASSERT_EQ(device.WhyNot(serial::Reset{}), Reason::kNone);
  device.Start(ResetCause::kSoftware);
}
// Ends a trial's attempts: the machine starts until the confirmed slot runs again.
void FallBack(Device& device, ResetCause cause) {
  for (int i = 0; i < kMaxAttempts && device.machine.booted()->hand_off.mode == BootMode::kTrial; ++i) {
    device.Start(cause);
  }
  ASSERT_EQ(device.machine.booted()->hand_off.slot, Slot::kA);
  ASSERT_EQ(device.machine.booted()->hand_off.mode, BootMode::kNormal);
}

TEST(Child, TheFirstStartTestsItselfAndConfirms) {
  Device device;
  device.Install(Slot::kA, MakeRelease(1));
  device.Start();
  EXPECT_EQ(device.Facts().tests, serial::Tests::kRunning);
  EXPECT_EQ(device.WhyNot(Device::BeginOf(MakeRelease(2))), Reason::kNotReady);
  device.RunTests();
  EXPECT_TRUE(device.record().proven);
  EXPECT_EQ(device.Facts().tests, serial::Tests::kPassed);
  EXPECT_EQ(device.port.TakeTellings<serial::Changed>().size(), 1U);
  for (const std::string_view name :
       {"peripheral:adc", "peripheral:flash", "peripheral:record", "memory:ram", "memory:image", "connectivity"}) {
    const std::string line = "self-test " + std::string(name) + ": pass\n";
    EXPECT_NE(device.port.text().find(line), std::string::npos) << name;
  }
}

TEST(Child, AnUpdateIsTriedTestedAndConfirmed) {
  Device device;
  MakeProven(device);
  const Release next = MakeRelease(2);
  BeginTrial(device, next);
  EXPECT_EQ(device.Facts().mode, static_cast<std::uint8_t>(BootMode::kTrial));
  EXPECT_EQ(device.Facts().slot, 1);
  EXPECT_EQ(device.Facts().trial, 1U);
  device.RunTests();
  EXPECT_EQ(device.Facts().tests, serial::Tests::kPassed);
  EXPECT_EQ(device.record().confirmed, Slot::kB);
  EXPECT_TRUE(device.record().proven);
  EXPECT_FALSE(device.record().owed);
  device.Start();
  EXPECT_EQ(device.Facts().manifest_digest, next.digest);
  EXPECT_EQ(device.Facts().mode, static_cast<std::uint8_t>(BootMode::kNormal));
  EXPECT_EQ(device.WhyNot(Device::BeginOf(MakeRelease(3))), Reason::kNone) << "and takes the next one";
}

TEST(Child, AFailedTestEndsTheTrialAtOnceAndIsTold) {
  Device device;
  MakeProven(device);
  BeginTrial(device, MakeRelease(2, Behaviour::kSelfTestFails));
  device.RunFor(1000);
  EXPECT_TRUE(device.child().reset_wanted());
  EXPECT_EQ(device.port.TakeTellings<serial::Changed>().size(), 2U) << "of the first start, and now";
  device.Start(ResetCause::kSoftware);
  EXPECT_EQ(device.machine.booted()->hand_off.slot, Slot::kA);
  EXPECT_TRUE(device.record().owed);
  EXPECT_EQ(device.record().reason, Reason::kSelfTestFailed);
  EXPECT_EQ(device.record().detail.view(), "peripheral:adc: reads 0 mV");
  EXPECT_EQ(device.record().job, 7U);
}

TEST(Child, AnImageThatCrashesOrHangsFallsBackWithItsReason) {
  for (const auto& [behaviour, cause, reason] :
       {std::tuple{Behaviour::kCrashes, ResetCause::kOther, Reason::kCrash},
        std::tuple{Behaviour::kHangs, ResetCause::kWatchdog, Reason::kWatchdog}}) {
    Device device;
    MakeProven(device);
    const std::uint64_t feeds = device.port.feeds;
    BeginTrial(device, MakeRelease(2, behaviour));
    EXPECT_EQ(device.machine.child(), nullptr);
    FallBack(device, cause);
    EXPECT_EQ(device.record().reason, reason);
    EXPECT_TRUE(device.record().owed);
    EXPECT_LE(device.port.feeds, feeds + 5) << "only while it was staged";
  }
}

TEST(Child, ATestThatIsNeverReadyEndsWithTheTrialBudget) {
  Device device;
  MakeProven(device);
  BeginTrial(device, MakeRelease(2, Behaviour::kNeverConfirms));
  device.RunFor(test::kTrialBudgetS * 1000 - 1000);
  EXPECT_FALSE(device.child().reset_wanted());
  device.RunFor(1500);
  EXPECT_TRUE(device.child().reset_wanted());
  device.Start(ResetCause::kSoftware);
  EXPECT_EQ(device.record().reason, Reason::kTrialBudgetSpent);
  EXPECT_EQ(device.record().detail.view(), "peripheral:adc");
}

TEST(Child, WithoutAGatewayTheTrialEndsAfterTheLinkWait) {
  Device device;
  MakeProven(device);
  BeginTrial(device, MakeRelease(2));
  device.RunFor(19'000);
  EXPECT_FALSE(device.child().reset_wanted());
  EXPECT_GE(device.port.TakeTellings<serial::NonceWanted>().size(), 18U) << "asked again each second";
  device.RunFor(2000);
  EXPECT_TRUE(device.child().reset_wanted());
  device.Start(ResetCause::kSoftware);
  EXPECT_EQ(device.record().reason, Reason::kNoLink);
  EXPECT_EQ(device.record().detail.view(), "connectivity");
}

// A gateway that answers each nonce, for so long.
void AnswerFor(Device& device, std::uint64_t ms, serial::Relay relay) {
  for (const std::uint64_t end = device.now_ms + ms; device.now_ms < end && !device.child().reset_wanted();) {
    device.RunFor(500);
    for (const auto& wanted : device.port.TakeTellings<serial::NonceWanted>()) device.GiveBack(wanted.nonce, relay);
  }
}

TEST(Child, APlatformThatIsAwayIsWaitedOutAndIsNotTheTrialsTime) {
  Device device;
  MakeProven(device);
  BeginTrial(device, MakeRelease(2));
  AnswerFor(device, 300'000, serial::Relay::kNoPlatform);  // five times the budget
  EXPECT_EQ(device.Facts().tests, serial::Tests::kRunning);
  AnswerFor(device, 5000, serial::Relay::kFresh);
  EXPECT_EQ(device.Facts().tests, serial::Tests::kPassed);
}

TEST(Child, BeyondThePatienceThePlatformIsUnreachable) {
  Device device;
  MakeProven(device);
  BeginTrial(device, MakeRelease(2));
  AnswerFor(device, 890'000, serial::Relay::kNoPlatform);
  EXPECT_FALSE(device.child().reset_wanted());
  AnswerFor(device, 20'000, serial::Relay::kNoPlatform);
  EXPECT_TRUE(device.child().reset_wanted());
  device.Start(ResetCause::kSoftware);
  EXPECT_EQ(device.record().reason, Reason::kPlatformUnreachable);
}

TEST(Child, AGatewayThatFallsSilentIsNoLink) {
  Device device;
  MakeProven(device);
  BeginTrial(device, MakeRelease(2));
  AnswerFor(device, 60'000, serial::Relay::kNoPlatform);
  device.RunFor(40'000);
  EXPECT_TRUE(device.child().reset_wanted());
  device.Start(ResetCause::kSoftware);
  EXPECT_EQ(device.record().reason, Reason::kNoLink);
}

TEST(Child, OnlyTheNonceThatWasAskedForCounts) {
  Device device;
  MakeProven(device);
  BeginTrial(device, MakeRelease(2));
  device.RunFor(1500);
  const auto first = device.port.TakeTellings<serial::NonceWanted>();
  ASSERT_GE(first.size(), 2U);
  EXPECT_EQ(first[0].nonce, first[1].nonce) << "the same until it is answered";
  device.GiveBack(Nonce{1, 2, 3}, serial::Relay::kFresh);
  device.GiveBack(first[0].nonce, serial::Relay::kNoPlatform);
  device.GiveBack(first[0].nonce, serial::Relay::kFresh);  // used up by the answer before
  device.RunFor(1500);
  EXPECT_EQ(device.Facts().tests, serial::Tests::kRunning);
  const auto second = device.port.TakeTellings<serial::NonceWanted>();
  ASSERT_FALSE(second.empty());
  EXPECT_NE(second[0].nonce, first[0].nonce);
  device.Start(ResetCause::kWatchdog);
  device.RunFor(1000);
  EXPECT_NE(device.port.TakeTellings<serial::NonceWanted>().at(0).nonce, second[0].nonce) << "of another start";
}

TEST(Child, AnUnprovenImageTestsItselfAgainEachMinuteAndStays) {
  Device device;
  device.Install(Slot::kA, MakeRelease(1, Behaviour::kSelfTestFails));
  device.Start();
  device.RunFor(1000);
  const serial::Facts facts = device.Facts();
  EXPECT_EQ(facts.tests, serial::Tests::kFailed);
  EXPECT_EQ(facts.tests_detail.view(), "peripheral:adc: reads 0 mV");
  EXPECT_EQ(device.WhyNot(Device::BeginOf(MakeRelease(2))), Reason::kNotReady);
  EXPECT_EQ(device.port.TakeTellings<serial::Changed>().size(), 1U);
  device.RunFor(60'000);
  EXPECT_EQ(device.port.TakeTellings<serial::Changed>().size(), 1U) << "tested again";
  EXPECT_FALSE(device.child().reset_wanted());
  EXPECT_FALSE(device.record().proven);
}

TEST(Child, AnUnprovenImagePassesInALaterRunOfAllTests) {
  Device device;
  device.Install(Slot::kA, MakeRelease(1));
  device.Start();
  device.RunFor(30'000);  // no gateway
  EXPECT_EQ(device.Facts().tests, serial::Tests::kFailed);
  device.RunFor(55'000);
  device.RunTests();
  EXPECT_EQ(device.Facts().tests, serial::Tests::kPassed) << device.Facts().tests_detail.view();
  EXPECT_TRUE(device.record().proven);
}

TEST(Child, AnImageThatFlashAlteredSinceFailsItsDigestTest) {
  Device device;
  MakeProven(device);
  BeginTrial(device, MakeRelease(2));
  device.slot_b.bytes_now()[6000] ^= 1;
  device.RunFor(2000);
  EXPECT_TRUE(device.child().reset_wanted());
  EXPECT_EQ(device.record().reason, Reason::kSelfTestFailed);
  EXPECT_EQ(device.record().detail.view().substr(0, 12), "memory:image");
}

TEST(Child, ARecordThatChangedBehindItFailsItsTest) {
  Device device;
  MakeProven(device);
  BeginTrial(device, MakeRelease(2));
  device.record_flash.MakeUnreadable();
  device.RunFor(2000);
  EXPECT_TRUE(device.child().reset_wanted());
  EXPECT_NE(device.port.text().find("self-test peripheral:record: no valid record: FAIL"), std::string::npos);
}

TEST(Child, ATrialThatCannotBeConfirmedHasFailed) {
  Device device;
  MakeProven(device);
  BeginTrial(device, MakeRelease(2));
  device.record_flash.MakeUnwritable();
  device.RunTests();
  EXPECT_TRUE(device.child().reset_wanted());
  EXPECT_EQ(device.record().confirmed, Slot::kA);
}

TEST(Feeding, InATrialOnlyCompletedStepsFeed) {
  Device device;
  MakeProven(device);
  BeginTrial(device, MakeRelease(2));
  const std::uint64_t before = device.port.feeds;
  for (int i = 0; i < 1000; ++i) device.Facts();  // requests do not feed
  EXPECT_EQ(device.port.feeds, before);
  device.child().Poll(device.now_ms);
  EXPECT_EQ(device.port.feeds, before + 1) << "the first step";
  device.RunFor(1000);
  const std::uint64_t at_connectivity = device.port.feeds;
  EXPECT_GE(at_connectivity, before + 6);
  device.RunFor(1000);
  EXPECT_LE(device.port.feeds, at_connectivity + 4) << "a step that waits completes four times a second";
}

TEST(Feeding, AfterTheTrialsEndNobodyFeeds) {
  Device device;
  MakeProven(device);
  BeginTrial(device, MakeRelease(2, Behaviour::kSelfTestFails));
  device.RunFor(1000);
  ASSERT_TRUE(device.child().reset_wanted());
  const std::uint64_t before = device.port.feeds;
  for (int i = 0; i < 1000; ++i) device.child().Poll(device.now_ms += 50);
  EXPECT_EQ(device.port.feeds, before);
}

TEST(Feeding, OutsideATrialTheLoopFeedsFourTimesAWindow) {
  Device device;
  MakeProven(device);
  const std::uint64_t before = device.port.feeds;
  device.RunFor(test::kWatchdogMs * 10);
  EXPECT_GE(device.port.feeds, before + 30);
  EXPECT_LE(device.port.feeds, before + 41);
}

TEST(Feeding, ALongSealFeedsBetweenItsParts) {
  Device device;
  MakeProven(device);
  const Release next = MakeRelease(2, Behaviour::kGood, 110'000);
  device.Stage(next);
  const std::uint64_t before = device.port.feeds;
  EXPECT_EQ(device.WhyNot(serial::Seal{}), Reason::kNone);
  EXPECT_EQ(device.port.feeds, before + 2);
}

// A gateway that loses power on the device at any flash operation of an update, in any way, and then starts over. In
// the end the new image is confirmed, and on the way there is always an image that runs.
void Update(Device& device, const Release& release) {
  for (int tries = 0; tries < 8; ++tries) {
    if (device.record().confirmed == Slot::kB && device.record().proven) return;
    if (device.machine.booted()->hand_off.mode != BootMode::kNormal) {
      device.RunTests();
    } else if (device.WhyNot(serial::SettleRollback{device.record().trial, device.record().job}) == Reason::kNone) {
      if (device.WhyNot(Device::BeginOf(release)) != Reason::kNone) return;
      for (std::size_t at = 0; at < release.image.size(); at += 1000) {
        const ByteView rest = ByteView(release.image).subspan(at);
        if (device.WhyNot(serial::Write{at, rest.first(std::min<std::size_t>(rest.size(), 1000))}) != Reason::kNone) {
          return;
        }
      }
      device.WhyNot(serial::Envelope{0, release.envelope});
      if (device.WhyNot(serial::Seal{}) != Reason::kNone) return;
      if (device.WhyNot(serial::Pending{7, release.digest}) != Reason::kNone) return;
    }
    device.Start(ResetCause::kSoftware);
    if (device.machine.child() == nullptr) return;
  }
}

class PowerCuts : public ::testing::TestWithParam<CutMode> {};

TEST_P(PowerCuts, AnyOperationOfAnUpdateMayBeTheLast) {
  const Release next = MakeRelease(2, Behaviour::kGood, 9000);
  Device whole;
  MakeProven(whole);
  const auto record = whole.record_flash.Save();
  const auto slot_a = whole.slot_a.Save();
  const auto slot_b = whole.slot_b.Save();
  for (FakeFlash* flash : {&whole.record_flash, &whole.slot_b}) flash->CountOperations();
  Update(whole, next);
  ASSERT_EQ(whole.record().confirmed, Slot::kB);
  for (const bool of_record : {false, true}) {
    const std::uint64_t operations = (of_record ? whole.record_flash : whole.slot_b).operations();
    ASSERT_GT(operations, 5U);
    for (std::uint64_t operation = 0; operation < operations; ++operation) {
      Device device;
      device.record_flash.Restore(record);
      device.slot_a.Restore(slot_a);
      device.slot_b.Restore(slot_b);
      device.Start(ResetCause::kSoftware);
      FakeFlash& cut = of_record ? device.record_flash : device.slot_b;
      cut.CutAt({.operation = operation, .mode = GetParam(), .unit = static_cast<std::uint32_t>(operation % 9)});
      Update(device, next);
      device.slot_b.PowerOn();
      device.record_flash.PowerOn();
      device.Start(ResetCause::kPower);
      ASSERT_NE(device.machine.child(), nullptr) << "operation " << operation;
      Update(device, next);
      EXPECT_EQ(device.record().confirmed, Slot::kB)
          << "operation " << operation << (of_record ? " of the record" : "");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, PowerCuts, ::testing::ValuesIn(kAllCutModes));

}  // namespace
}  // namespace pawl::firmware
