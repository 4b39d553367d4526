// A Child's self-tests. Source: docs/spec/serial.md, "What the child does by itself"; docs/spec/boot.md, "Watchdog".
#include "firmware/bare/child.h"

namespace pawl::firmware {
namespace {

constexpr std::uint64_t kAgainMs = 250;        // before the same test again
constexpr std::uint64_t kUnprovenMs = 60'000;  // before an unproven image tests itself again

constexpr std::string_view Word(Verdict verdict) {
  if (verdict == Verdict::kPass) return ": pass\n";
  return verdict == Verdict::kFail ? ": FAIL\n" : ": waits\n";
}

}  // namespace

void Child::StartTests(std::uint64_t now_ms) {
  TestLimits limits = setup_.limits;
  limits.budget_ms.reset();
  if (setup_.hand_off.mode == BootMode::kTrial) {
    // A manifest that cannot be read fails memory:image; until then no time may pass unbounded.
    limits.budget_ms = manifest_ ? std::uint64_t{manifest_->get().trial_budget_s} * 1000 : limits.link_wait_ms;
  }
  plan_.emplace(all_tests_.size(), limits, now_ms);
  connectivity_.Restart();
  tests_ = serial::Tests::kRunning;
  tests_detail_ = {};
  not_before_ms_ = now_ms;
}

void Child::RunTests(std::uint64_t now_ms) {
  if (now_ms < not_before_ms_) return;
  if (tests_ == serial::Tests::kFailed && !reset_wanted_) StartTests(now_ms);  // an unproven image, once more
  if (!plan_) return;
  const TestPlan::Next next = plan_->Advance(now_ms);
  if (std::holds_alternative<TestPlan::Run>(next)) return RunOne(now_ms);
  if (std::holds_alternative<TestPlan::Done>(next)) return TestsPassed(now_ms);
  const Reason reason = std::get_if<TestPlan::Failed>(&next)->reason;
  if (reason != Reason::kSelfTestFailed) tests_detail_ = all_tests_[plan_->index()]->name();
  TestsFailed(reason, now_ms);
}

void Child::RunOne(std::uint64_t now_ms) {
  SelfTest& test = *all_tests_[plan_->index()];
  const TestOutcome outcome = test.Run(now_ms);
  tests_detail_ = test.name();
  if (!outcome.detail.empty()) tests_detail_.append(": ").append(outcome.detail);
  plan_->Completed(outcome.verdict, now_ms);
  if (in_trial()) setup_.port.Feed();  // a step is completed: the only place that feeds in a trial
  Report(outcome.verdict);
  const bool at_once = outcome.verdict == Verdict::kPass || outcome.verdict == Verdict::kMore;
  not_before_ms_ = at_once || outcome.verdict == Verdict::kFail ? now_ms : now_ms + kAgainMs;
}

void Child::Report(Verdict verdict) {
  if (verdict == Verdict::kMore || reported_ == tests_detail_) return;
  reported_ = tests_detail_;
  setup_.port.Print("self-test ");
  setup_.port.Print(tests_detail_);
  setup_.port.Print(Word(verdict));
}

void Child::TestsPassed(std::uint64_t now_ms) {
  const Status confirmed = Commit(Confirm(setup_.record.state().record, setup_.hand_off.slot));  // F2
  if (!confirmed) {
    tests_detail_ = record_test_.name();
    tests_detail_.append(": ").append(confirmed.error().detail);
    return TestsFailed(Reason::kSelfTestFailed, now_ms);
  }
  plan_.reset();
  tests_ = serial::Tests::kPassed;
  tests_detail_ = {};
  setup_.port.Print("self-tests passed: confirmed\n");
  Tell(serial::Changed{});
}

void Child::TestsFailed(Reason reason, std::uint64_t now_ms) {
  plan_.reset();
  tests_ = serial::Tests::kFailed;
  not_before_ms_ = now_ms + kUnprovenMs;
  setup_.port.Print("self-tests failed: ");
  setup_.port.Print(pawl::Text(reason));
  setup_.port.Print("\n");
  Tell(serial::Changed{});
  if (setup_.hand_off.mode != BootMode::kTrial) return;  // nothing to fall back to
  // F3. If it cannot be written, the reset spends an attempt, and so the trial ends all the same.
  static_cast<void>(Commit(FailTrial(setup_.record.state().record, setup_.hand_off.slot, reason, tests_detail_)));
  reset_wanted_ = true;
}

}  // namespace pawl::firmware
