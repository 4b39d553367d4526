// The child behind a socket, in real time: what a gateway's tests stand on.
#include "firmware/bare/host/host_child.h"

#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "firmware/bare/test_device.h"

namespace pawl::firmware {
namespace {

using test::Device;
using test::MakeRelease;

TEST(HostChild, SpeaksTestsItselfAndConfirmsOverASocket) {
  Device flash;  // only its flash and its ROM
  flash.Install(Slot::kA, MakeRelease(1));
  std::array<int, 2> line{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, line.data()), 0);
  HostChild child(flash.setup(), line[0]);
  const std::atomic<bool> stop = false;
  std::thread machine([&] { child.Run(stop); });

  serial::FrameReader reader;
  bool passed = false;
  for (std::uint8_t byte = 0; !passed && ::read(line[1], &byte, 1) == 1;) {
    const auto got = reader.Take(byte);
    const auto* payload = std::get_if<serial::FrameReader::Payload>(&got);
    if (payload == nullptr) continue;
    const auto message = serial::DecodeFromChild(payload->bytes);
    ASSERT_TRUE(message.has_value());
    const auto* telling = std::get_if<serial::Telling>(&*message);
    if (telling == nullptr) continue;
    passed = std::holds_alternative<serial::Changed>(*telling);
    if (const auto* wanted = std::get_if<serial::NonceWanted>(telling)) {
      const serial::Frame frame =
          serial::Pack(serial::Encode(serial::NumberedRequest{1, serial::Nonce{wanted->nonce, serial::Relay::kFresh}}));
      ASSERT_EQ(::write(line[1], frame.data(), frame.size()), static_cast<ssize_t>(frame.size()));
    }
  }
  ::close(line[1]);  // the machine ends with its line
  machine.join();
  ::close(line[0]);
  EXPECT_TRUE(passed);
  EXPECT_TRUE(child.machine().record().state().record.proven);
  EXPECT_EQ(child.starts(), 1U);
  EXPECT_NE(child.text().find("self-tests passed"), std::string::npos);
}

TEST(HostChild, AHangingImageIsResetByTheWatchdogUntilTheOtherSlotRuns) {
  Device flash;
  flash.Install(Slot::kA, MakeRelease(1));
  flash.Start();
  flash.RunTests();
  flash.Start(ResetCause::kSoftware);
  flash.Stage(MakeRelease(2, Behaviour::kHangs));
  ASSERT_EQ(flash.WhyNot(serial::Seal{}), Reason::kNone);
  ASSERT_EQ(flash.WhyNot(serial::Pending{7, MakeRelease(2, Behaviour::kHangs).digest}), Reason::kNone);

  std::array<int, 2> line{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, line.data()), 0);
  HostMachine::Setup setup = flash.setup();
  setup.watchdog_ms = 20;
  HostChild child(setup, line[0]);
  const std::atomic<bool> stop = false;
  std::thread machine([&] { child.Run(stop); });
  std::uint8_t byte = 0;
  EXPECT_EQ(::read(line[1], &byte, 1), 1) << "the old image tells that it has started";
  ::close(line[1]);
  machine.join();
  ::close(line[0]);
  EXPECT_EQ(child.starts(), 1U + kMaxAttempts);
  EXPECT_EQ(child.machine().record().state().record.reason, Reason::kWatchdog);
}

}  // namespace
}  // namespace pawl::firmware
