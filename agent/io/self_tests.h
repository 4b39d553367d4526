// The self-tests of this image, and their runner: one after the other, in the loop, under the watchdog's rules.
//
// Kinds    built-in ones are functions that return within their budget; connectivity is asked over the network;
// executables
//          of data/selftest.d run as children, are killed at their budget, and tell with their last line what was
//          wrong.
// Watchdog only this runner feeds it during a trial, and only when a step has completed. A built-in test that hangs is
//          therefore ended by the watchdog.
#pragma once

#include <poll.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/self_test_plan.h"
#include "agent/io/board.h"
#include "agent/io/boot_control.h"
#include "agent/io/connectivity.h"
#include "slots/file/machine_line.h"

namespace pawl::agent {

struct TestOutcome {
  Verdict verdict = Verdict::kPass;
  std::string detail;
};

struct SelfTest {
  std::string name;                  // "peripheral:adc"
  std::function<TestOutcome()> run;  // built-in
  std::string executable;            // or a path
  bool connectivity = false;         // or this
};

// Flash, record, data partition, RAM, the running image's digest. Lifetime: keeps all three.
std::vector<SelfTest> BuiltInTests(RecordBootControl& boot, const Config& config, const KeyTable& anchors);
SelfTest ConnectivityTest();
// data/selftest.d, sorted.
std::vector<SelfTest> ExecutableTests(const Config& config);

class SelfTestRunner {
 public:
  // Lifetime: keeps all of them.
  SelfTestRunner(HttpClient& http, const Config& config, Board& board);
  ~SelfTestRunner();
  SelfTestRunner(const SelfTestRunner&) = delete;
  SelfTestRunner& operator=(const SelfTestRunner&) = delete;

  // limits.budget_ms: nothing outside a trial; then the watchdog is the loop's to feed.
  void Start(std::vector<SelfTest> tests, const TestLimits& limits, std::uint64_t now_ms);
  void Stop();
  bool running() const { return plan_.has_value(); }

  void AddTo(std::vector<pollfd>& fds) const;
  std::uint64_t next_ms() const { return running() ? wake_ms_ : UINT64_MAX; }
  // TestsDone or TestsFailed when it is over; nothing: it goes on.
  std::optional<TestNext> Work(std::uint64_t now_ms);

  // Of one step: what is left of the watchdog's window after a margin.
  std::uint64_t budget_ms() const { return budget_ms_; }

 private:
  struct Child;
  void Tell(const std::string& name, const TestOutcome& outcome);
  void Begin(const SelfTest& test, std::uint64_t now_ms);
  std::optional<TestOutcome> Outcome(const SelfTest& test, std::uint64_t now_ms);
  std::optional<TestOutcome> ChildOutcome(std::uint64_t now_ms);
  TestOutcome StartChild(const SelfTest& test, std::uint64_t now_ms);
  void ReadChild();
  void EndChild();

  Board& board_;
  Connectivity connectivity_;
  std::uint64_t budget_ms_;
  std::uint64_t pause_ms_;
  std::vector<SelfTest> tests_;
  std::optional<SelfTestPlan> plan_;
  bool trial_ = false;
  std::optional<std::size_t> under_way_;
  std::string told_;  // of a step that is not done yet: once, not at every try
  std::uint64_t wake_ms_ = 0;
  std::uint64_t not_before_ms_ = 0;  // a pause before the same step again
  std::unique_ptr<Child> child_;
  std::optional<TestOutcome> instant_;  // of a built-in test
};

}  // namespace pawl::agent
