#include "slots/file/machine_line.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "base/text.h"

namespace pawl {
namespace {

constexpr HandOff kExample{.slot = Slot::kB,
                           .mode = BootMode::kTrial,
                           .cause = ResetCause::kWatchdog,
                           .trial = 7,
                           .security_version = 3,
                           .watchdog_ms = 60000};

TEST(MachineLine, PacketsHaveTheirGoldenBytes) {
  std::array<char, 40> text{};
  EXPECT_EQ(HexEncode(EncodeHandOff(kExample), text),
            "504d4831010101000700000003000000"
            "60ea0000");
  std::array<char, 16> request{};
  EXPECT_EQ(HexEncode(EncodeRequest(MachineRequest::kFeed), request), "504d433101000000");
  EXPECT_EQ(HexEncode(EncodeRequest(MachineRequest::kReset), request), "504d433102000000");
}

TEST(MachineLine, AWrongPacketIsRefusedAndAnotherVersionByName) {
  const HandOffPacket genuine = EncodeHandOff(kExample);
  for (std::size_t size = 0; size < genuine.size(); ++size) {
    EXPECT_FALSE(DecodeHandOff(ByteView(genuine).first(size)).has_value()) << size;
  }
  for (std::size_t at = 0; at < 8; ++at) {
    HandOffPacket packet = genuine;
    packet[at] = 0x33;
    const auto decoded = DecodeHandOff(packet);
    ASSERT_FALSE(decoded.has_value()) << at;
    EXPECT_EQ(decoded.error().reason, at == 3 ? Reason::kUnsupportedVersion : Reason::kMalformed);
  }
  RequestPacket request = EncodeRequest(MachineRequest::kFeed);
  request[4] = 9;
  EXPECT_EQ(DecodeRequest(request).error().reason, Reason::kMalformed);
}

TEST(MachineLine, CarriesTheHandOffOneWayAndRequestsTheOther) {
  auto pair = MachineEnd::Make();
  ASSERT_TRUE(pair.has_value());
  ASSERT_TRUE(pair->machine.Send(kExample).has_value());
  auto line = MachineLine::FromFd(std::move(pair->image));
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(EncodeHandOff(line->hand_off()), EncodeHandOff(kExample));
  EXPECT_FALSE(pair->machine.Receive()->has_value());
  ASSERT_TRUE(line->Feed().has_value());
  ASSERT_TRUE(line->Reset().has_value());
  EXPECT_EQ(*pair->machine.Receive(), MachineRequest::kFeed);
  EXPECT_EQ(*pair->machine.Receive(), MachineRequest::kReset);
  EXPECT_FALSE(pair->machine.Receive()->has_value());
}

TEST(MachineLine, EachEndLearnsThatTheOtherIsGone) {
  auto pair = MachineEnd::Make();
  ASSERT_TRUE(pair->machine.Send(kExample).has_value());
  {
    auto line = MachineLine::FromFd(std::move(pair->image));
    ASSERT_TRUE(line.has_value());
  }
  EXPECT_EQ(pair->machine.Receive().error().reason, Reason::kIo);

  auto second = MachineEnd::Make();
  ASSERT_TRUE(second->machine.Send(kExample).has_value());
  auto line = MachineLine::FromFd(std::move(second->image));
  {
    const MachineEnd gone = std::move(second->machine);
  }
  EXPECT_EQ(line->Feed().error().reason, Reason::kIo);
}

TEST(MachineLine, AMalformedRequestIsReportedAndTheNextOneHeard) {
  auto pair = MachineEnd::Make();
  const std::string junk(300, 'x');
  ASSERT_EQ(::send(pair->image.get(), junk.data(), junk.size(), 0), 300);
  ASSERT_TRUE(pair->machine.Send(kExample).has_value());
  auto line = MachineLine::FromFd(std::move(pair->image));
  ASSERT_TRUE(line->Feed().has_value());
  EXPECT_EQ(pair->machine.Receive().error().reason, Reason::kMalformed);
  EXPECT_EQ(*pair->machine.Receive(), MachineRequest::kFeed);
}

TEST(MachineLine, AFeederThatIsNotReadNeverBlocks) {
  auto pair = MachineEnd::Make();
  ASSERT_TRUE(pair->machine.Send(kExample).has_value());
  auto line = MachineLine::FromFd(std::move(pair->image));
  for (int i = 0; i < 10000; ++i) ASSERT_TRUE(line->Feed().has_value());
}

TEST(MachineLine, WithoutAMachineTheErrorSaysSo) {
  for (const char* value : {"", "x", "1", "99999", "7x"}) {
    ::setenv(kMachineLineVariable, value, 1);
    EXPECT_EQ(MachineLine::FromEnvironment().error().reason, Reason::kNotFound) << value;
  }
  ::unsetenv(kMachineLineVariable);
  const auto line = MachineLine::FromEnvironment();
  EXPECT_EQ(line.error().detail.view(), "PAWL_MACHINE_FD is not set: not started by pawl-machine");
}

}  // namespace
}  // namespace pawl
