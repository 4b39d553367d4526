#include "broker/mosquitto/gate.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <initializer_list>

#include "broker/link.h"

namespace pawl::broker {
namespace {

constexpr std::uint64_t kNow = 5'000'000;
constexpr std::string_view kUp1 = "pawl/1/default/dev-1/up";
constexpr std::string_view kDown1 = "pawl/1/default/dev-1/down";

Digest Pin(std::uint8_t seed) {
  Digest pin;
  pin.fill(seed);
  return pin;
}

Peer Device(std::string_view id, const Digest& pin) {
  return {.client_id = id, .username = id, .certificate = Certificate{std::string(id), pin}};
}

class GateTest : public testing::Test {
 protected:
  GateTest() {
    char name[] = "/tmp/pawl-gate-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ + "/view";
    file_.emplace(path_);
    Publish({"dev-1", "dev-2"});
    gate_.emplace(path_);
  }
  ~GateTest() override { std::filesystem::remove_all(folder_); }

  // Every one of them with the key Pin(1).
  void Publish(std::initializer_list<std::string_view> admitted, std::uint64_t heartbeat = kNow) {
    ViewBuilder builder;
    for (const std::string_view id : admitted) {
      ASSERT_TRUE(builder.Add({.id = id, .admitted = true, .state = 1, .pins = {Pin(1)}, .pin_count = 1}));
    }
    ASSERT_TRUE(file_->Replace(std::move(builder).Finish(1, heartbeat)));
  }

  std::string folder_, path_;
  std::optional<ViewFile> file_;
  std::optional<Gate> gate_;
  const int first_ = 0, second_ = 0;  // their addresses are handles
};

TEST_F(GateTest, AdmitsADeviceWhoseThreeNamesAndKeyAgree) {
  EXPECT_TRUE(gate_->Connect(&first_, Device("dev-1", Pin(1)), kNow));
  EXPECT_EQ(gate_->connected(), 1U);
}

TEST_F(GateTest, RefusesEveryDisagreementOfNamesAndKey) {
  Peer peer = Device("dev-1", Pin(1));
  peer.certificate->common_name = "dev-2";
  EXPECT_FALSE(gate_->Connect(&first_, peer, kNow)) << "certificate of another device";
  peer = Device("dev-1", Pin(1));
  peer.client_id = "dev-2";
  EXPECT_FALSE(gate_->Connect(&first_, peer, kNow)) << "client id of another device";
  peer = Device("dev-1", Pin(1));
  peer.username = "";
  EXPECT_FALSE(gate_->Connect(&first_, peer, kNow)) << "no username";
  peer = Device("dev-1", Pin(1));
  peer.certificate.reset();
  EXPECT_FALSE(gate_->Connect(&first_, peer, kNow)) << "no certificate";
  EXPECT_FALSE(gate_->Connect(&first_, Device("dev-1", Pin(2)), kNow)) << "another key";
  EXPECT_FALSE(gate_->Connect(&first_, Device("dev-9", Pin(1)), kNow)) << "unknown";
  EXPECT_FALSE(gate_->Connect(&first_, Device("#", Pin(1)), kNow)) << "no device id";
  EXPECT_EQ(gate_->connected(), 0U);
}

TEST_F(GateTest, ThePlatformsNameIsWorthNothingOverTheNetwork) {
  EXPECT_FALSE(gate_->Connect(&first_, Device(kPlatformClient, Pin(1)), kNow));
  EXPECT_FALSE(gate_->Connect(&first_, {.client_id = kPlatformClient, .username = kPlatformClient}, kNow));
  EXPECT_TRUE(
      gate_->Connect(&first_, {.client_id = kPlatformClient, .username = kPlatformClient, .local_socket = true}, kNow));
  Peer device = Device("dev-1", Pin(1));
  device.local_socket = true;
  EXPECT_FALSE(gate_->Connect(&first_, device, kNow)) << "a device has no business on the local socket";
}

TEST_F(GateTest, AdmitsNobodyWithoutAFreshView) {
  EXPECT_TRUE(gate_->Connect(&first_, Device("dev-1", Pin(1)), kNow + 10'000));
  EXPECT_FALSE(gate_->Connect(&first_, Device("dev-1", Pin(1)), kNow + 10'001)) << "stale";
  std::filesystem::remove(path_);
  EXPECT_FALSE(gate_->Connect(&first_, Device("dev-1", Pin(1)), kNow)) << "gone";
  EXPECT_TRUE(gate_->problem().contains("cannot open")) << gate_->problem();
  std::ofstream(path_) << std::string(500, 'x');
  EXPECT_FALSE(gate_->Connect(&first_, Device("dev-1", Pin(1)), kNow + 1000)) << "corrupt";
  Publish({"dev-1"});
  EXPECT_TRUE(gate_->Connect(&first_, Device("dev-1", Pin(1)), kNow + 2000)) << "it recovers";
}

TEST_F(GateTest, DeviceUsesItsOwnTopicsOnly) {
  ASSERT_TRUE(gate_->Connect(&first_, Device("dev-1", Pin(1)), kNow));
  ASSERT_TRUE(gate_->Connect(&second_, Device("dev-2", Pin(1)), kNow));
  EXPECT_TRUE(gate_->MayAccess("dev-1", kUp1, Access::kPublish, kNow));
  EXPECT_TRUE(gate_->MayAccess("dev-1", kDown1, Access::kSubscribe, kNow));
  EXPECT_TRUE(gate_->MayAccess("dev-1", kDown1, Access::kReceive, kNow));
  EXPECT_FALSE(gate_->MayAccess("dev-1", kDown1, Access::kPublish, kNow)) << "no orders from devices";
  EXPECT_FALSE(gate_->MayAccess("dev-1", kUp1, Access::kSubscribe, kNow));
  for (const char* topic : {"#", "+/#", "pawl/#", "pawl/1/default/+/down", "pawl/1/default/dev-2/down", "$SYS/#",
                            "$share/x/pawl/1/default/dev-1/down", "pawl/1/other/dev-1/down"}) {
    EXPECT_FALSE(gate_->MayAccess("dev-1", topic, Access::kSubscribe, kNow)) << topic;
    EXPECT_FALSE(gate_->MayAccess("dev-1", topic, Access::kReceive, kNow)) << topic;
  }
  for (const char* topic : {"pawl/1/default/dev-2/up", "pawl/1/default/dev-1/link", "pawl/1/other/dev-1/up", "x"}) {
    EXPECT_FALSE(gate_->MayAccess("dev-1", topic, Access::kPublish, kNow)) << topic;
  }
}

TEST_F(GateTest, WhoIsNotConnectedMayNothing) {
  EXPECT_FALSE(gate_->MayAccess("dev-1", kUp1, Access::kPublish, kNow));
  EXPECT_FALSE(gate_->MayAccess("", kUp1, Access::kPublish, kNow));
  ASSERT_TRUE(gate_->Connect(&first_, Device("dev-1", Pin(1)), kNow));
  EXPECT_TRUE(gate_->Disconnect(&first_, "dev-1"));
  EXPECT_FALSE(gate_->MayAccess("dev-1", kUp1, Access::kPublish, kNow));
}

TEST_F(GateTest, PlatformUsesThePlatformsTopicsOnly) {
  EXPECT_TRUE(gate_->MayAccess(kPlatformClient, kUpFilter, Access::kSubscribe, kNow));
  EXPECT_TRUE(gate_->MayAccess(kPlatformClient, kLinkFilter, Access::kSubscribe, kNow));
  EXPECT_TRUE(gate_->MayAccess(kPlatformClient, kUp1, Access::kReceive, kNow));
  EXPECT_TRUE(gate_->MayAccess(kPlatformClient, "pawl/1/default/dev-1/link", Access::kReceive, kNow));
  EXPECT_TRUE(gate_->MayAccess(kPlatformClient, kDown1, Access::kPublish, kNow));
  EXPECT_FALSE(gate_->MayAccess(kPlatformClient, kUp1, Access::kPublish, kNow));
  EXPECT_FALSE(gate_->MayAccess(kPlatformClient, "#", Access::kSubscribe, kNow));
}

TEST_F(GateTest, ThrowsOffWhomANewViewNoLongerAdmits) {
  ASSERT_TRUE(gate_->Connect(&first_, Device("dev-1", Pin(1)), kNow));
  ASSERT_TRUE(gate_->Connect(&second_, Device("dev-2", Pin(1)), kNow));
  EXPECT_TRUE(gate_->Tick(kNow).empty());
  Publish({"dev-2"});
  EXPECT_EQ(gate_->Tick(kNow), std::vector<std::string>{"dev-1"});
  EXPECT_TRUE(gate_->Tick(kNow).empty()) << "once a view";
}

TEST_F(GateTest, StalenessThrowsNobodyOff) {
  ASSERT_TRUE(gate_->Connect(&first_, Device("dev-1", Pin(1)), kNow));
  EXPECT_TRUE(gate_->Tick(kNow + 1'000'000).empty());
  std::filesystem::remove(path_);
  EXPECT_TRUE(gate_->Tick(kNow + 1'000'000).empty());
  Publish({});  // late, but a new truth
  EXPECT_EQ(gate_->Tick(kNow + 2'000'000), std::vector<std::string>{"dev-1"});
}

TEST_F(GateTest, TheEndOfAReplacedConnectionIsNotTheEndOfTheDevice) {
  ASSERT_TRUE(gate_->Connect(&first_, Device("dev-1", Pin(1)), kNow));
  ASSERT_TRUE(gate_->Connect(&second_, Device("dev-1", Pin(1)), kNow));
  EXPECT_FALSE(gate_->Disconnect(&first_, "dev-1"));
  EXPECT_TRUE(gate_->MayAccess("dev-1", kUp1, Access::kPublish, kNow));
  EXPECT_TRUE(gate_->Disconnect(&second_, "dev-1"));
  EXPECT_FALSE(gate_->Disconnect(&second_, "dev-1"));
}

TEST_F(GateTest, AFloodIsCutToTheAllowedRate) {
  ASSERT_TRUE(gate_->Connect(&first_, Device("dev-1", Pin(1)), kNow));
  const auto publish_for = [&](std::uint64_t from_ms, std::uint64_t until_ms) {
    int passed = 0;
    for (std::uint64_t now = from_ms; now < until_ms; ++now) {
      for (int i = 0; i < 10; ++i) passed += gate_->MayAccess("dev-1", kUp1, Access::kPublish, now) ? 1 : 0;
    }
    return passed;
  };
  EXPECT_NEAR(publish_for(kNow, kNow + 10'000), kMessageBurst + 10 * kMessagesPerSecond, 2);
  EXPECT_NEAR(publish_for(kNow + 60'000, kNow + 60'001), 10, 0) << "it recovers";
}

}  // namespace
}  // namespace pawl::broker
