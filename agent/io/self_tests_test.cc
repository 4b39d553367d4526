#include "agent/io/self_tests.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "agent/io/fake_board.h"
#include "agent/io/system.h"
#include "agent/io/test_tls.h"
#include "base/hosted/files.h"

namespace pawl::agent {
namespace {

class SelfTests : public testing::Test {
 protected:
  void SetUp() override {
    config_.data = folder_.path();
    http_.UseTls(platform_.ClientTls());
    std::filesystem::create_directory(folder_ / "selftest.d");
  }
  void AddExecutable(const std::string& name, const std::string& script, unsigned mode = 0755) {
    const std::string path = folder_ / ("selftest.d/" + name);
    std::ofstream(path) << "#!/bin/sh\n" << script;
    ::chmod(path.c_str(), mode);
  }
  std::vector<SelfTest> Tests() const { return ExecutableTests(config_); }
  TestNext Run(std::vector<SelfTest> tests) {
    SelfTestRunner runner(http_, config_, board_);
    runner.Start(std::move(tests), limits_, MonotonicMs());
    const std::uint64_t end_ms = MonotonicMs() + 20'000;
    while (MonotonicMs() < end_ms) {
      if (auto ended = runner.Work(MonotonicMs())) return *ended;
      std::vector<pollfd> fds;
      runner.AddTo(fds);
      http_.Poll(fds, 10);
    }
    ADD_FAILURE() << "the self-tests did not end";
    return TestsDone{};
  }
  TestsFailed RunFailing(std::vector<SelfTest> tests) {
    const TestNext ended = Run(std::move(tests));
    const auto* failed = std::get_if<TestsFailed>(&ended);
    EXPECT_NE(failed, nullptr);
    return failed != nullptr ? *failed : TestsFailed{};
  }
  static SelfTest BuiltIn(std::string name, std::function<TestOutcome()> run) {
    return {.name = std::move(name), .run = std::move(run), .executable = {}};
  }

  TestFolder folder_;
  TestPlatform platform_;
  Config config_ = DefaultConfig("/nowhere");
  HttpClient http_;
  FakeBoard board_;
  TestLimits limits_{.budget_ms = 10'000, .patience_ms = 1000, .link_wait_ms = 300};
};

TEST_F(SelfTests, ExecutablesRunInOrderAndTheirLastLineIsTheDetail) {
  AddExecutable("20-second",
                "echo ran >> " + (folder_ / "order") + "; echo first line; echo rail at 2.9 V >&2; exit 3\n");
  AddExecutable("10-first", "echo first >> " + (folder_ / "order") + "\n");
  AddExecutable("30-never", "echo never >> " + (folder_ / "order") + "\n");
  AddExecutable("05-no-program", "exit 1\n", 0644);
  const TestsFailed failed = RunFailing(Tests());
  EXPECT_EQ(failed.reason, Reason::kSelfTestFailed);
  EXPECT_EQ(failed.detail, "20-second: rail at 2.9 V");
  EXPECT_EQ(ReadFile(folder_ / "order", 100).value(), "first\nran\n");
}

TEST_F(SelfTests, AnExecutableThatHangsIsKilledAtItsBudgetWithAllThatItStarted) {
  AddExecutable("hang", "sleep 60 & echo $! > " + (folder_ / "pid") + "; wait\n");
  const std::uint64_t before = MonotonicMs();
  EXPECT_EQ(RunFailing(Tests()).detail, "hang: killed after its budget of 1000 ms");
  EXPECT_LT(MonotonicMs() - before, 1600U);  // within the watchdog's window
  const std::string pid = ReadFile(folder_ / "pid", 20).value();
  EXPECT_TRUE(::kill(std::stoi(pid), 0) != 0 || !FileExists("/proc/" + std::to_string(std::stoi(pid)) + "/exe"));
}

TEST_F(SelfTests, AnExecutableThatCannotStartFails) {
  const std::string path = folder_ / "selftest.d/odd";
  std::ofstream(path) << "#!/no/such/interpreter\n";
  ::chmod(path.c_str(), 0755);
  EXPECT_NE(RunFailing(Tests()).detail.find("odd: cannot be started"), std::string::npos);
}

TEST_F(SelfTests, InATrialTheWatchdogIsFedOncePerCompletedStep) {
  int left = 3;
  std::vector<SelfTest> tests;
  tests.push_back(BuiltIn("a", [] { return TestOutcome{}; }));
  tests.push_back(BuiltIn("b", [&] { return TestOutcome{left-- > 0 ? Verdict::kAgain : Verdict::kPass, {}}; }));
  EXPECT_TRUE(std::holds_alternative<TestsDone>(Run(std::move(tests))));
  EXPECT_EQ(board_.feeds, 5);
}

TEST_F(SelfTests, OutsideATrialTheRunnerFeedsNothing) {
  limits_.budget_ms.reset();
  EXPECT_TRUE(std::holds_alternative<TestsDone>(Run({BuiltIn("a", [] { return TestOutcome{}; })})));
  EXPECT_EQ(board_.feeds, 0);
}

TEST_F(SelfTests, ATestThatIsNeverReadySpendsTheTrialsBudget) {
  limits_.budget_ms = 700;
  const TestsFailed failed = RunFailing({BuiltIn("peripheral:radio", [] { return TestOutcome{Verdict::kAgain, {}}; })});
  EXPECT_EQ(failed.reason, Reason::kTrialBudgetSpent);
  EXPECT_EQ(failed.detail, "peripheral:radio");
}

TEST_F(SelfTests, ConnectivityPassesWithAFreshNonceOverMutualTls) {
  std::string client;
  TestServer server(
      platform_.server, platform_.device_ca.pem, [&](const TestRequest& request, TestServer::Reply& reply) {
        client = request.client;
        reply.Answer(200, "", "{\"nonce\":\"" + request.path.substr(request.path.find('=') + 1) + "\",\"time\":1}");
      });
  config_.https_urls = {"https://127.0.0.1:1", server.Url("")};  // the second answers
  EXPECT_TRUE(std::holds_alternative<TestsDone>(Run({ConnectivityTest()})));
  EXPECT_EQ(client, "dev-0001");
}

TEST_F(SelfTests, AnOldNonceIsNoProof) {
  TestServer server(platform_.server, "", [&](const TestRequest&, TestServer::Reply& reply) {
    reply.Answer(200, "", R"({"nonce":"00112233445566778899aabbccddeeff","time":1})");
  });
  config_.https_urls = {server.Url("")};
  EXPECT_EQ(RunFailing({ConnectivityTest()}).reason, Reason::kPlatformUnreachable);
}

TEST_F(SelfTests, APlatformThatIsDownIsWaitedForAndThenNamed) {
  config_.https_urls = {"https://127.0.0.1:1"};  // refuses: the link is good
  limits_.budget_ms = 100;                       // the wait is not the trial's
  const std::uint64_t before = MonotonicMs();
  EXPECT_EQ(RunFailing({ConnectivityTest()}).reason, Reason::kPlatformUnreachable);
  EXPECT_GE(MonotonicMs() - before, limits_.patience_ms);
  EXPECT_GE(board_.feeds, 3);
}

TEST_F(SelfTests, APlatformThatComesBackWithinThePatienceSavesTheTrial) {
  std::atomic<int> asked = 0;
  TestServer server(platform_.server, "", [&](const TestRequest& request, TestServer::Reply& reply) {
    if (asked++ < 2) return reply.Answer(503, "", "");
    reply.Answer(200, "", "{\"nonce\":\"" + request.path.substr(request.path.find('=') + 1) + "\"}");
  });
  config_.https_urls = {server.Url("")};
  EXPECT_TRUE(std::holds_alternative<TestsDone>(Run({ConnectivityTest()})));
}

TEST_F(SelfTests, AGatewayThatAnswersShowsThatTheLinkIsGood) {
  config_.https_urls = {"https://192.0.2.77:1"};  // nowhere
  config_.bind_address = "127.0.0.1";             // from where nothing but this machine can be reached
  config_.gateway = "192.0.2.78";
  EXPECT_EQ(RunFailing({ConnectivityTest()}).reason, Reason::kNoLink);
  config_.gateway = "127.0.0.1:1";
  EXPECT_EQ(RunFailing({ConnectivityTest()}).reason, Reason::kPlatformUnreachable);
}

TEST_F(SelfTests, FirmwareWithAWrongAddressHasNoLink) {
  config_.https_urls = {"https://127.0.0.1:1"};
  config_.gateway = "127.0.0.1:1";
  config_.bind_address = "192.0.2.77";
  EXPECT_EQ(RunFailing({ConnectivityTest()}).reason, Reason::kNoLink);
}

}  // namespace
}  // namespace pawl::agent
