#include "agent/core/download_plan.h"

#include <gtest/gtest.h>

#include <random>

namespace pawl::agent {
namespace {

constexpr DownloadLimits kLimits{.backoff = {.base_ms = 100, .cap_ms = 1000}, .deadline_ms = 100'000};

const AskRange& Ask(const PlanNext& next) { return std::get<AskRange>(next); }
const Error& Failure(const PlanNext& next) { return std::get<PlanFailed>(next).error; }

TEST(DownloadPlan, AsksForAllThatIsMissingInOneRequest) {
  DownloadPlan plan(1, 10, 4, kLimits);
  EXPECT_EQ(Ask(plan.Next(0)).first, 4U);
  EXPECT_EQ(Ask(plan.Next(0)).count, 6U);
  for (int i = 0; i < 6; ++i) plan.ChunkGood();
  EXPECT_TRUE(std::holds_alternative<PlanDone>(plan.Next(0)));
}

TEST(DownloadPlan, ABadChunkAloneIsAskedThreeTimesMoreFromOtherSourcesFirst) {
  DownloadPlan plan(3, 10, 0, kLimits);
  plan.ChunkGood();
  plan.ChunkGood();
  std::vector<std::size_t> asked{Ask(plan.Next(0)).source};
  for (int i = 0; i < 3; ++i) {
    plan.ChunkBad();
    EXPECT_EQ(Ask(plan.Next(0)).first, 2U);
    EXPECT_EQ(Ask(plan.Next(0)).count, 1U);
    asked.push_back(Ask(plan.Next(0)).source);
  }
  EXPECT_EQ(asked, (std::vector<std::size_t>{0, 1, 2, 0}));
  plan.ChunkBad();
  EXPECT_EQ(Failure(plan.Next(0)).reason, Reason::kChunkDigest);
  EXPECT_EQ(Failure(plan.Next(0)).detail.view(), "chunk 2 of 10 came wrong 4 times");
}

TEST(DownloadPlan, AfterTheGoodRetryItGoesOnFromTheSourceThatDelivered) {
  DownloadPlan plan(2, 10, 0, kLimits);
  plan.ChunkBad();
  plan.ChunkGood();
  EXPECT_EQ(Ask(plan.Next(0)).source, 1U);
  EXPECT_EQ(Ask(plan.Next(0)).first, 1U);
  EXPECT_EQ(Ask(plan.Next(0)).count, 9U);
}

TEST(DownloadPlan, ABrokenRequestGoesToTheNextSourceAtOnceAndWaitsAfterAWholeRound) {
  DownloadPlan plan(2, 10, 0, kLimits);
  plan.Broken(Trouble::kPassing, {Reason::kUnavailable, "reset"}, 1000, 50);
  EXPECT_EQ(Ask(plan.Next(1000)).source, 1U);
  plan.Broken(Trouble::kPassing, {Reason::kUnavailable, "reset"}, 1000, 50);
  EXPECT_EQ(std::get<WaitUntil>(plan.Next(1000)).ms, 1050U);
  EXPECT_EQ(Ask(plan.Next(1050)).source, 0U);
  plan.Broken(Trouble::kPassing, {Reason::kUnavailable, "reset"}, 1050, 199);
  plan.Broken(Trouble::kPassing, {Reason::kUnavailable, "reset"}, 1050, 199);
  EXPECT_EQ(std::get<WaitUntil>(plan.Next(1050)).ms, 1050U + 199U);
  plan.LinkBack();
  EXPECT_TRUE(std::holds_alternative<AskRange>(plan.Next(1050)));
}

TEST(DownloadPlan, GivesUpSoonWhenEverySourceRefusesForGood) {
  DownloadPlan plan(2, 10, 0, kLimits);
  std::uint32_t asked = 0;
  while (std::holds_alternative<AskRange>(plan.Next(0))) {
    plan.Broken(Trouble::kLasting, {Reason::kNotFound, "404"}, 0, 0);
    ASSERT_LE(++asked, 2 * kHopelessRounds);
  }
  EXPECT_EQ(asked, 2 * kHopelessRounds);
  EXPECT_EQ(Failure(plan.Next(0)).reason, Reason::kDownloadFailed);
  EXPECT_EQ(Failure(plan.Next(0)).detail.view(), "every source refuses; last: 404");
}

TEST(DownloadPlan, OneSourceThatMayComeBackKeepsTheHope) {
  DownloadPlan plan(2, 10, 0, kLimits);
  for (int i = 0; i < 100; ++i) {
    plan.Broken(i % 2 == 0 ? Trouble::kLasting : Trouble::kPassing, {Reason::kNotFound, "x"}, 0, 0);
    EXPECT_TRUE(std::holds_alternative<AskRange>(plan.Next(0)));
  }
}

TEST(DownloadPlan, TheDeadlineEndsItWithTheLastReason) {
  DownloadPlan slow(1, 10, 0, kLimits);
  slow.Broken(Trouble::kPassing, {Reason::kDownloadTooSlow, "12 bytes/s"}, 99'999, UINT64_MAX);
  EXPECT_EQ(Failure(slow.Next(100'000)).reason, Reason::kDownloadTooSlow);
  DownloadPlan cut(1, 10, 0, kLimits);
  cut.Broken(Trouble::kPassing, {Reason::kUnavailable, "reset"}, 99'999, 0);
  EXPECT_EQ(Failure(cut.Next(100'000)).reason, Reason::kDownloadFailed);
  DownloadPlan other_size(1, 10, 0, kLimits);
  other_size.Broken(Trouble::kLasting, {Reason::kSizeMismatch, "5 bytes"}, 0, 0);
  EXPECT_EQ(Failure(other_size.Next(100'000)).reason, Reason::kSizeMismatch);
}

// Whatever the sources do: it ends, chunks are asked for in order, and never more than four times while they come
// wrong.
TEST(DownloadPlan, EndsForEveryBehaviourOfTheSources) {
  for (unsigned seed = 0; seed < 3000; ++seed) {
    std::mt19937 random(seed);
    const std::size_t sources = 1 + random() % 4;
    const std::uint64_t chunks = 1 + random() % 20;
    DownloadPlan plan(sources, chunks, random() % (chunks + 1), kLimits);
    std::uint64_t now = 0;
    std::uint64_t expected = plan.next();
    for (int steps = 0;; ++steps) {
      ASSERT_LT(steps, 100'000);
      const PlanNext next = plan.Next(now);
      if (std::holds_alternative<PlanDone>(next) || std::holds_alternative<PlanFailed>(next)) break;
      if (const auto* wait = std::get_if<WaitUntil>(&next)) {
        ASSERT_GT(wait->ms, now);
        now = wait->ms;
        continue;
      }
      ASSERT_LT(Ask(next).source, sources);
      ASSERT_EQ(Ask(next).first, expected);
      ASSERT_LE(Ask(next).first + Ask(next).count, chunks);
      now += random() % 50;
      switch (random() % 4) {
        case 0:
          plan.ChunkBad();
          break;
        case 1:
          plan.Broken(random() % 2 ? Trouble::kLasting : Trouble::kPassing, {}, now, random());
          break;
        default:
          plan.ChunkGood();
          ++expected;
      }
    }
  }
}

}  // namespace
}  // namespace pawl::agent
