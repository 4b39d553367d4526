#include "agent/io/serial/line.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/un.h>

#include "agent/io/serial/fake_child.h"
#include "agent/io/test_tls.h"

namespace pawl::agent {
namespace {

serial::Payload PayloadOf(std::string_view text) {
  serial::Payload payload;
  for (const char c : text) payload.push_back(static_cast<std::uint8_t>(c));
  return payload;
}
std::string TextOf(const serial::Payload& payload) { return {payload.begin(), payload.end()}; }

// Until so many payloads have come, at most 5 s.
std::vector<std::string> Receive(SerialLine& line, std::size_t count) {
  std::vector<std::string> got;
  for (int i = 0; i < 500 && got.size() < count; ++i) {
    const auto payloads = line.Service();
    if (!payloads) return got;
    for (const auto& payload : *payloads) got.push_back(TextOf(payload));
    std::vector<pollfd> fds;
    line.AddTo(fds);
    if (got.size() < count) ::poll(fds.data(), fds.size(), 10);
  }
  return got;
}

TEST(SerialLine, TellsFramesFromTextAndLogsTheTextLineByLine) {
  SocketPair pair;
  SerialLine line(std::move(pair.gateway));
  FakeChild child;
  FakeChild::Raw(pair.child, AsBytes("boot: A\r\nself-"));
  child.Send(pair.child, PayloadOf("one"));
  FakeChild::Raw(pair.child, AsBytes("test: passed\n"));
  child.Send(pair.child, PayloadOf("two"));
  testing::internal::CaptureStderr();
  const auto got = Receive(line, 2);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(got, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(log, "child: boot: A\nchild: self-test: passed\n");
}

TEST(SerialLine, AChildThatPrintsWithoutEndIsLoggedInPartsAndHoldsUpNobody) {
  SocketPair pair;
  SerialLine line(std::move(pair.gateway));
  FakeChild::Raw(pair.child, AsBytes(std::string(2000, 'x')));
  testing::internal::CaptureStderr();
  EXPECT_TRUE(line.Service().value().empty());
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(log, '\n'), 8);
}

TEST(SerialLine, DropsADamagedFrameAndTakesTheNext) {
  SocketPair pair;
  SerialLine line(std::move(pair.gateway));
  FakeChild child;
  const serial::Frame frame = serial::Pack(PayloadOf("damaged"));
  std::vector<std::uint8_t> bytes(frame.begin(), frame.end());
  bytes[4] ^= 0x20;
  FakeChild::Raw(pair.child, bytes);
  child.Send(pair.child, PayloadOf("lost with it, or not"));
  child.Send(pair.child, PayloadOf("whole"));
  const auto got = Receive(line, 2);
  ASSERT_FALSE(got.empty());
  EXPECT_EQ(got.back(), "whole");
  EXPECT_EQ(std::ranges::count(got, "damaged"), 0);
}

TEST(SerialLine, GivesWhatCameBeforeItTellsThatTheLineIsClosed) {
  SocketPair pair;
  SerialLine line(std::move(pair.gateway));
  FakeChild child;
  child.Send(pair.child, PayloadOf("last words"));
  pair.child = OwnedFd();
  ASSERT_EQ(line.Service().value().size(), 1U);
  EXPECT_EQ(line.Service().error().reason, Reason::kUnavailable);
}

TEST(SerialLine, NeverWaitsForAPartnerThatDoesNotReadAndLaterSendsWholeFrames) {
  SocketPair pair;
  SerialLine line(std::move(pair.gateway));
  const serial::Payload payload = PayloadOf(std::string(1200, 'p'));
  for (int i = 0; i < 2000; ++i) line.Send(payload);
  SerialLine reader(std::move(pair.child));
  std::size_t whole = 0;
  for (int quiet = 0; quiet < 3;) {
    ASSERT_TRUE(line.Service());
    const auto payloads = reader.Service();
    ASSERT_TRUE(payloads);
    for (const auto& got : *payloads) EXPECT_EQ(got.size(), payload.size());
    whole += payloads->size();
    quiet = payloads->empty() ? quiet + 1 : 0;
  }
  EXPECT_GT(whole, 8U);
  EXPECT_LT(whole, 2000U);  // what found the queue full was dropped
}

TEST(SerialLine, ATerminalIsRawAndTakenForOneProcessAlone) {
  const OwnedFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_GE(master.get(), 0);
  ASSERT_EQ(::grantpt(master.get()), 0);
  ASSERT_EQ(::unlockpt(master.get()), 0);
  const std::string path = ::ptsname(master.get());
  auto line = SerialLine::Open(path, 115200);
  ASSERT_TRUE(line) << line.error().detail.view();
  EXPECT_EQ(SerialLine::Open(path, 115200).error().reason, Reason::kUnavailable);

  std::string every;  // each byte value, many of which a terminal would swallow or change
  for (int i = 1; i < 256; ++i) every += static_cast<char>(i);
  FakeChild child;
  child.Send(master, PayloadOf(every));
  EXPECT_EQ(Receive(**line, 1), (std::vector<std::string>{every}));
  SerialLine far_end{OwnedFd(::fcntl(master.get(), F_DUPFD_CLOEXEC, 0))};
  (*line)->Send(PayloadOf(every));
  EXPECT_EQ(Receive(far_end, 1), (std::vector<std::string>{every}));
}

TEST(SerialLine, NamesWhatCannotBeOpened) {
  const TestFolder folder;
  const auto absent = SerialLine::Open(folder / "no-such-tty", 115200);
  EXPECT_EQ(absent.error().reason, Reason::kUnavailable);
  EXPECT_NE(absent.error().detail.view().find("no-such-tty: open"), std::string_view::npos);
  const auto nobody = SerialLine::Open("unix:" + (folder / "socket"), 115200);
  EXPECT_EQ(nobody.error().reason, Reason::kUnavailable);
  EXPECT_EQ(SerialLine::Open("/dev/null", 115200).error().reason, Reason::kUnavailable);
  EXPECT_EQ(SerialLine::Open("/dev/null", 1234).error().reason, Reason::kInvalidArgument);
  EXPECT_EQ(SerialLine::Open("unix:" + std::string(200, 'x'), 115200).error().reason, Reason::kUnavailable);
}

}  // namespace
}  // namespace pawl::agent
