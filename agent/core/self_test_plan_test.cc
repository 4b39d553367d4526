#include "agent/core/self_test_plan.h"

#include <gtest/gtest.h>

namespace pawl::agent {
namespace {

constexpr TestLimits kTrial{.budget_ms = 30'000, .patience_ms = 100'000, .link_wait_ms = 5000};

SelfTestPlan Plan(const TestLimits& limits = kTrial) {
  return {{"memory:ram", "connectivity", "check.sh"}, limits, 1000};
}

std::size_t Index(const SelfTestPlan& plan, std::uint64_t now) { return std::get<RunTest>(plan.Next(now)).index; }
TestsFailed Failure(const SelfTestPlan& plan, std::uint64_t now) { return std::get<TestsFailed>(plan.Next(now)); }

TEST(SelfTestPlan, RunsOneAfterTheOtherAndPasses) {
  SelfTestPlan plan = Plan();
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(Index(plan, 1000), i);
    plan.Completed(Verdict::kPass, {}, 1000);
  }
  EXPECT_TRUE(std::holds_alternative<TestsDone>(plan.Next(1000)));
  EXPECT_TRUE(std::holds_alternative<TestsDone>(plan.Next(1'000'000)));
}

TEST(SelfTestPlan, NamesTheTestThatFailed) {
  SelfTestPlan plan = Plan();
  plan.Completed(Verdict::kFail, "3 bits stuck", 1000);
  EXPECT_EQ(Failure(plan, 1000).reason, Reason::kSelfTestFailed);
  EXPECT_EQ(Failure(plan, 1000).detail, "memory:ram: 3 bits stuck");
}

TEST(SelfTestPlan, EndsWithTheSignedBudget) {
  SelfTestPlan plan = Plan();
  EXPECT_EQ(plan.EndsAt(), 31'000U);
  plan.Completed(Verdict::kAgain, {}, 30'999);
  EXPECT_EQ(Index(plan, 30'999), 0U);
  EXPECT_EQ(Failure(plan, 31'000).reason, Reason::kTrialBudgetSpent);
  EXPECT_EQ(Failure(plan, 31'000).detail, "memory:ram");
}

TEST(SelfTestPlan, HasNoEndOutsideATrial) {
  SelfTestPlan plan = Plan({.budget_ms = {}});
  EXPECT_FALSE(plan.EndsAt());
  EXPECT_EQ(Index(plan, UINT64_MAX), 0U);
}

TEST(SelfTestPlan, NoLinkIsTheFirmwaresFaultAfterAShortWait) {
  SelfTestPlan plan = Plan();
  plan.Completed(Verdict::kPass, {}, 1000);
  plan.Completed(Verdict::kNoLink, {}, 2000);
  EXPECT_EQ(Index(plan, 2000), 1U);
  plan.Completed(Verdict::kNoLink, {}, 6999);
  EXPECT_EQ(Index(plan, 6999), 1U);
  plan.Completed(Verdict::kNoLink, {}, 7000);
  EXPECT_EQ(Failure(plan, 7000).reason, Reason::kNoLink);
}

TEST(SelfTestPlan, UndecidedWaitsOutThePatienceAndThatTimeIsNotTheTrials) {
  SelfTestPlan plan = Plan();
  plan.Completed(Verdict::kPass, {}, 1000);
  plan.Completed(Verdict::kUndecided, {}, 10'000);
  EXPECT_EQ(Index(plan, 100'000), 1U);  // far beyond the budget
  plan.Completed(Verdict::kUndecided, {}, 109'999);
  EXPECT_EQ(Index(plan, 109'999), 1U);
  SelfTestPlan back = plan;
  back.Completed(Verdict::kPass, {}, 109'999);
  EXPECT_EQ(Index(back, 109'999), 2U);
  EXPECT_EQ(back.EndsAt(), 31'000U + 99'999U);
  plan.Completed(Verdict::kUndecided, {}, 110'000);
  EXPECT_EQ(Failure(plan, 110'000).reason, Reason::kPlatformUnreachable);
}

TEST(SelfTestPlan, PatienceIsSpentOnceForTheWholeTrial) {
  SelfTestPlan plan = Plan();
  plan.Completed(Verdict::kPass, {}, 1000);
  plan.Completed(Verdict::kUndecided, {}, 2000);
  plan.Completed(Verdict::kNoLink, {}, 92'000);  // 90 s of patience spent
  plan.Completed(Verdict::kUndecided, {}, 93'000);
  plan.Completed(Verdict::kUndecided, {}, 103'000);
  EXPECT_EQ(Failure(plan, 103'000).reason, Reason::kPlatformUnreachable);
}

}  // namespace
}  // namespace pawl::agent
