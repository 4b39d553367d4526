#include "firmware/bare/test_plan.h"

#include <gtest/gtest.h>

namespace pawl::firmware {
namespace {

constexpr TestLimits kTrial{.budget_ms = 60'000, .patience_ms = 900'000, .link_wait_ms = 20'000};
constexpr TestLimits kNoTrial{.budget_ms = std::nullopt, .patience_ms = 900'000, .link_wait_ms = 20'000};

bool Runs(const TestPlan& plan, std::uint64_t now_ms) {
  return std::holds_alternative<TestPlan::Run>(plan.Advance(now_ms));
}
std::optional<Reason> Failure(const TestPlan& plan, std::uint64_t now_ms) {
  const TestPlan::Next next = plan.Advance(now_ms);
  const auto* failed = std::get_if<TestPlan::Failed>(&next);
  return failed != nullptr ? std::optional(failed->reason) : std::nullopt;
}

TEST(TestPlan, IsDoneWhenEveryTestHasPassed) {
  TestPlan plan(2, kTrial, 0);
  EXPECT_EQ(plan.index(), 0U);
  plan.Completed(Verdict::kMore, 1);
  EXPECT_EQ(plan.index(), 0U);
  plan.Completed(Verdict::kPass, 2);
  EXPECT_EQ(plan.index(), 1U);
  EXPECT_TRUE(Runs(plan, 2));
  plan.Completed(Verdict::kPass, 3);
  EXPECT_TRUE(std::holds_alternative<TestPlan::Done>(plan.Advance(3)));
  EXPECT_TRUE(std::holds_alternative<TestPlan::Done>(plan.Advance(100'000))) << "done is done";
}

TEST(TestPlan, AFailureIsFinal) {
  TestPlan plan(2, kTrial, 0);
  plan.Completed(Verdict::kFail, 1);
  EXPECT_EQ(Failure(plan, 1), Reason::kSelfTestFailed);
  EXPECT_EQ(Failure(plan, 100'000), Reason::kSelfTestFailed);
}

TEST(TestPlan, EndsWithTheBudgetInATrialOnly) {
  TestPlan trial(1, kTrial, 1000);
  trial.Completed(Verdict::kAgain, 60'000);
  EXPECT_TRUE(Runs(trial, 60'999));
  EXPECT_EQ(Failure(trial, 61'000), Reason::kTrialBudgetSpent);
  TestPlan other(1, kNoTrial, 1000);
  other.Completed(Verdict::kAgain, 60'000);
  EXPECT_TRUE(Runs(other, 10'000'000));
}

TEST(TestPlan, NoLinkIsWaitedOutForAThirdOfTheBudgetAtMost) {
  TestPlan plan(1, {.budget_ms = 30'000, .patience_ms = 900'000, .link_wait_ms = 20'000}, 0);
  plan.Completed(Verdict::kNoLink, 100);
  plan.Completed(Verdict::kNoLink, 10'099);
  EXPECT_TRUE(Runs(plan, 10'099));
  plan.Completed(Verdict::kNoLink, 10'100);
  EXPECT_EQ(Failure(plan, 10'100), Reason::kNoLink);
}

TEST(TestPlan, AnAnswerStartsTheLinkWaitAnew) {
  TestPlan plan(1, kTrial, 0);
  plan.Completed(Verdict::kNoLink, 0);
  plan.Completed(Verdict::kUndecided, 19'000);
  plan.Completed(Verdict::kNoLink, 20'000);
  EXPECT_TRUE(Runs(plan, 20'000));
}

TEST(TestPlan, UndecidedTimeIsNotTheTrialsAndHasAnEnd) {
  TestPlan plan(1, kTrial, 0);
  plan.Completed(Verdict::kUndecided, 10'000);
  EXPECT_TRUE(Runs(plan, 800'000));
  plan.Completed(Verdict::kNoLink, 500'000);  // 490 s of the patience are spent
  EXPECT_TRUE(Runs(plan, 549'999));
  EXPECT_EQ(Failure(plan, 550'000), Reason::kTrialBudgetSpent);
  plan.Completed(Verdict::kUndecided, 501'000);
  plan.Completed(Verdict::kUndecided, 910'999);
  EXPECT_TRUE(Runs(plan, 910'999));
  plan.Completed(Verdict::kUndecided, 911'000);
  EXPECT_EQ(Failure(plan, 911'000), Reason::kPlatformUnreachable);
}

}  // namespace
}  // namespace pawl::firmware
