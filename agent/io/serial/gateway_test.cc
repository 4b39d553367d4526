#include "agent/io/serial/gateway.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/un.h>

#include <future>

#include "agent/io/serial/child_hardware.h"
#include "agent/io/serial/fake_child.h"
#include "agent/io/status.h"
#include "agent/io/system.h"
#include "agent/io/test_tls.h"
#include "base/hosted/files.h"
#include "trust/verify/golden.h"

namespace pawl::agent {
namespace {

// A child behind a listening socket, as a board under QEMU is.
class ListeningChild {
 public:
  ListeningChild(FakeChild& child, const std::string& path) : child_(child) {
    fd_ = OwnedFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path, address.sun_path);
    ::unlink(path.c_str());
    PAWL_ASSERT(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    PAWL_ASSERT(::listen(fd_.get(), 4) == 0);
    thread_ = std::thread([this] { Run(); });
  }
  ~ListeningChild() {
    stop_ = true;
    thread_.join();
  }
  std::mutex mutex;
  std::atomic<int> lines = 0;  // that were opened
  std::atomic<bool> cut = false;

 private:
  void Run() {
    while (!stop_) {
      pollfd ready{fd_.get(), POLLIN, 0};
      if (::poll(&ready, 1, 10) <= 0) continue;
      const OwnedFd line(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      ++lines;
      while (!stop_ && !cut && ServeOnce(line)) {
      }
      cut = false;
    }
  }
  bool ServeOnce(const OwnedFd& line) {
    pollfd ready{line.get(), POLLIN, 0};
    if (::poll(&ready, 1, 10) <= 0) return true;
    const std::lock_guard lock(mutex);
    return child_.Serve(line);
  }
  FakeChild& child_;
  OwnedFd fd_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

class GatewayTest : public testing::Test {
 protected:
  GatewayTest() : signals_(OpenStopSignals()) {  // here, so that they end no other thread either
    for (const char* folder : {"rom", "data"}) std::filesystem::create_directory(folder_ / folder);
    const auto keys = golden::Hex(golden::kAnchors);
    const auto identity = golden::Hex(golden::kRomIdentity);
    EXPECT_TRUE(WriteFileDurably(config_.anchors, keys, 0644));
    EXPECT_TRUE(WriteFileDurably(config_.identity, identity, 0644));
    std::vector<std::uint8_t> rom = keys;
    rom.insert(rom.end(), identity.begin(), identity.end());
    child_.facts.rom_digest = crypto::Hash(rom);
    config_.mqtt_url = "mqtts://127.0.0.1:1";
    config_.via = "gw-1";
    config_.serial = "unix:" + Socket();
  }
  ~GatewayTest() override {
    if (!running_.valid()) return;
    static_cast<void>(StopGateway());
  }
  std::string Socket() const { return folder_ / "line"; }
  void StartGateway() {
    running_ = std::async(std::launch::async, [this] { return RunGateway(config_); });
  }
  Status StopGateway() {
    ::kill(::getpid(), SIGTERM);
    const Status ended = running_.get();
    signalfd_siginfo taken{};
    EXPECT_EQ(::read(signals_.get(), &taken, sizeof taken), static_cast<ssize_t>(sizeof taken));
    return ended;
  }
  static void Until(const std::function<bool()>& done) {
    const std::uint64_t end_ms = MonotonicMs() + 10'000;
    while (!done() && MonotonicMs() < end_ms) ::poll(nullptr, 0, 5);
    EXPECT_TRUE(done());
  }
  int Asked(ListeningChild& line) {
    const std::lock_guard lock(line.mutex);
    return child_.Count("AskFacts");
  }

  OwnedFd signals_;
  TestFolder folder_;
  Config config_ = DefaultConfig(folder_.path());
  FakeChild child_;
  std::future<Status> running_;
};

TEST_F(GatewayTest, WaitsForItsChildAndSaysSoOnce) {
  testing::internal::CaptureStderr();
  StartGateway();
  // It is stopped while it waits, after two tries at least.
  EXPECT_EQ(running_.wait_for(std::chrono::milliseconds(700)), std::future_status::timeout);
  EXPECT_TRUE(StopGateway());
  const std::string log = testing::internal::GetCapturedStderr();
  const std::size_t first = log.find("gateway: waiting for the child");
  EXPECT_NE(first, std::string::npos);
  EXPECT_EQ(log.find("gateway: waiting", first + 1), std::string::npos) << log;
}

TEST_F(GatewayTest, BeginsAnewWithEachBootOfTheChildAndEachLine) {
  StartGateway();
  ListeningChild line(child_, Socket());
  Until([&] { return Asked(line) >= 2; });  // the waiting, then the agent
  EXPECT_EQ(line.lines, 1);
  {
    const std::lock_guard lock(line.mutex);
    child_.Restart();
  }
  Until([&] { return line.lines == 2; });
  const int asked = Asked(line);
  Until([&] { return Asked(line) > asked; });
  line.cut = true;
  Until([&] { return line.lines == 3; });
  EXPECT_TRUE(StopGateway());
}

TEST_F(GatewayTest, AChildWithAnotherRomEndsItWithAnError) {
  child_.facts.rom_digest[0] ^= 1;
  ListeningChild line(child_, Socket());
  const Status ended = RunGateway(config_);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().reason, Reason::kConflict);
}

TEST_F(GatewayTest, OneAgentForOneChildAndStatusSaysWhoHasTheLine) {
  ListeningChild line(child_, Socket());
  const auto free = ReadStatus(config_);
  ASSERT_TRUE(free) << free.error().detail.view();
  EXPECT_EQ(free->child_trouble, "");
  ASSERT_TRUE(free->record);
  EXPECT_EQ(free->record->record, child_.record);
  EXPECT_NE(StatusText(*free).find("slot A        1.0.0"), std::string::npos) << StatusText(*free);
  EXPECT_NE(StatusText(*free).find("slot B        not known"), std::string::npos);

  StartGateway();
  Until([&] { return Asked(line) >= 3; });
  EXPECT_EQ(RunGateway(config_).error().reason, Reason::kConflict);
  const auto busy = ReadStatus(config_);
  ASSERT_TRUE(busy);
  EXPECT_NE(busy->child_trouble.find("has its line"), std::string::npos);
  EXPECT_FALSE(busy->record);
  EXPECT_NE(StatusText(*busy).find("boot record   not known"), std::string::npos) << StatusText(*busy);
  EXPECT_NE(StatusJson(*busy).find(R"("via":"gw-1")"), std::string::npos);
  EXPECT_TRUE(StopGateway());
}

TEST_F(GatewayTest, StatusSaysWhyTheChildWasNotAsked) {
  const auto status = ReadStatus(config_);
  ASSERT_TRUE(status);
  EXPECT_NE(status->child_trouble.find("connect"), std::string::npos);
}

}  // namespace
}  // namespace pawl::agent
