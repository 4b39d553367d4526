#include "platform/io/data/why.h"

#include <gtest/gtest.h>

#include "platform/io/data/test_platform.h"

namespace pawl::data {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)
using testing::Platform;
using wire::Phase;

class WhyTest : public ::testing::Test {
 protected:
  WhyTest() {
    platform.MakeClass();
    release = platform.MakeRelease();
  }
  Why Ask() {
    return platform.Do([](sql::Tx& tx) { return WhyNotUpdated(tx, "dev-1"); });
  }
  void ExpectVerdict(const std::string& verdict) {
    const Why why = Ask();
    EXPECT_EQ(why.verdict, verdict);
    EXPECT_FALSE(why.remedy.empty()) << verdict;
  }

  Platform platform;
  Release release;
};

TEST_F(WhyTest, FollowsADeviceThroughItsWholeUpdate) {
  const std::string token = platform.MakeClaim("dev-1");
  ExpectVerdict("dev-1 has not enrolled");
  platform.Do([&](sql::Tx& tx) -> Status {
    PAWL_TRY(BeginEnrolment(tx, "dev-1", token, Filled<32>(1)));
    PAWL_TRY(FinishEnrolment(tx, "dev-1", Filled<32>(1), "PEM", 0));
    return Contact(tx, "dev-1", Filled<32>(1));
  });
  ExpectVerdict("dev-1 has never said hello");
  FakeDevice device(platform, "dev-1");
  device.Hello();
  ExpectVerdict("nobody has given dev-1 a job");
  device.Disconnect();
  const Campaign campaign = platform.Start({"dev-1"}, release);
  ExpectVerdict("its job is queued: the device is not connected");
  device.Hello();
  ExpectVerdict("its job was sent just now");
  platform.Pass(kAcknowledgeWithinS);
  platform.Do([](sql::Tx& tx) { return MarkTimedOut(tx); });
  ExpectVerdict("dev-1 has not acknowledged its job in time");
  device.Move(1, 1, Phase::kDownloading);
  ExpectVerdict("dev-1 is downloading the image");
  device.Move(1, 1, Phase::kVerified);
  ExpectVerdict("dev-1 has verified the image and has not asked for its permit yet");
  platform.Do([&](sql::Tx& tx) { return PauseCampaign(tx, kOperator, campaign.id, ""); });
  device.Ready(1, 1);
  ExpectVerdict("the permit is not granted: the campaign is paused");
  platform.Do([&](sql::Tx& tx) { return ResumeCampaign(tx, kOperator, campaign.id, ""); });
  device.Ready(1, 1);
  ExpectVerdict("dev-1 has its permit and has not rebooted yet");
  device.Move(1, 1, Phase::kCommitted);
  ExpectVerdict("dev-1 is rebooting and has not been heard from since");
  device.Move(1, 1, Phase::kTrial);
  ExpectVerdict("dev-1 tries the new image, which has not confirmed yet");
  EXPECT_FALSE(HealthOf(platform.DeviceOf("dev-1")).ok);
  device.Move(1, 1, Phase::kSucceeded);
  EXPECT_EQ(Ask().verdict, "dev-1 is up to date: it runs 1.0.0 in slot B (normal)");
  for (const WhyStep& step : Ask().steps) EXPECT_TRUE(step.ok) << step.text;
  EXPECT_TRUE(HealthOf(platform.DeviceOf("dev-1")).ok);
}

TEST_F(WhyTest, NamesTheReasonOfAFailedJobAndItsRemedy) {
  platform.MakeActive("dev-1");
  FakeDevice device(platform, "dev-1");
  device.Hello();
  platform.Start({"dev-1"}, release);
  platform.Outbox();
  device.Move(1, 1, Phase::kRefused, Reason::kInvalidSignature, "kid 3c3c");
  ExpectVerdict("job 1 (1.0.0) was refused: invalid signature, kid 3c3c");
  EXPECT_EQ(Ask().remedy, Describe(Reason::kInvalidSignature).remedy);
}

TEST_F(WhyTest, NamesTheStateThatHoldsADeviceBack) {
  platform.MakeActive("dev-1");
  platform.Do([](sql::Tx& tx) { return ChangeDeviceState(tx, kOperator, "dev-1", DeviceAction::kSuspend, "stolen"); });
  ExpectVerdict("dev-1 is suspended: stolen");
  EXPECT_EQ(ReasonOf(platform.Write([](sql::Tx& tx) { return WhyNotUpdated(tx, "nobody"); })), Reason::kNotFound);
}

TEST_F(WhyTest, AnOfflineDeviceBehindAGatewayPointsAtTheGateway) {
  platform.MakeActive("dev-1");
  FakeDevice device(platform, "dev-1");
  device.Hello();
  wire::Hello through = device.last_hello;
  RandomBytes(through.nonce);
  through.via = "gw-7";
  device.Send(through);
  EXPECT_EQ(Ask().remedy.find("gw-7"), std::string::npos);  // online: no cause to look there
  device.Disconnect();
  ExpectVerdict("dev-1 is not connected");
  EXPECT_EQ(
      Ask().remedy,
      "Check its network and its agent. It speaks through the gateway gw-7: check that this one runs, its agent for "
      "dev-1, and the line between them.");
  EXPECT_EQ(HealthOf(platform.DeviceOf("dev-1")).text, "not connected; speaks through gw-7");
}

TEST_F(WhyTest, AClaimOfSuccessWithoutProofIsToldAsSuch) {
  platform.MakeActive("dev-1");
  FakeDevice device(platform, "dev-1");
  device.Hello();
  platform.Start({"dev-1"}, release);
  platform.Outbox();
  device.Move(1, 1, Phase::kVerified);
  device.Ready(1, 1);
  device.Move(1, 1, Phase::kCommitted);
  const auto running = device.state.running;
  ++device.state.rev;
  device.state.job->phase = Phase::kSucceeded;
  device.Tell();
  ExpectVerdict("dev-1 says that it succeeded, but runs 0.9.0 in slot A (normal)");
}

TEST_F(WhyTest, SilenceIsNeverHealth) {
  platform.MakeActive("dev-1");
  EXPECT_FALSE(HealthOf(platform.DeviceOf("dev-1")).ok);
  FakeDevice device(platform, "dev-1");
  device.Hello();
  EXPECT_TRUE(HealthOf(platform.DeviceOf("dev-1")).ok);
  device.Disconnect();
  EXPECT_EQ(HealthOf(platform.DeviceOf("dev-1")).text, "not connected");
  device.state.emergency = wire::Emergency{1, Reason::kRecordLost};
  ++device.state.rev;
  device.Hello();
  EXPECT_EQ(HealthOf(platform.DeviceOf("dev-1")).text, "its bootloader had to act: boot record lost");
}

}  // namespace
}  // namespace pawl::data
