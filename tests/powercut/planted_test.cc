// The same campaign and chain against bugs: the usual designs of a boot record, each storage rule left out, and steps
// in the wrong order. Each must be caught; how many cases failed is printed. The store is planted_store.cc throughout.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/powercut/campaign.h"
#include "tests/powercut/chain.h"
#include "tests/powercut/planted_store.h"

namespace pawl::powercut {
namespace {

constexpr std::uint32_t kUnitStep = 4;  // coarser than the campaign on the product: a bug shows soon
constexpr std::uint64_t kChainCuts = 100'000;
constexpr std::uint64_t kChainsMax = 40;

// How many cases fail.
std::uint64_t Failures(const char* name, const StoreDesign& design, Plant plant = Plant::kNone) {
  UseStoreDesign(design);
  Count total;
  for (const Scenario& scenario : {Scenario{"confirm", {Behaviour::kGood}, RecordKind::kValid, 1},
                                   Scenario{"hang", {Behaviour::kHangs}, RecordKind::kValid, 2}}) {
    total += Campaign(plant, kUnitStep).Run(scenario);
  }
  std::printf("%-34s %6llu of %6llu cases failed. %s\n", name, static_cast<unsigned long long>(total.failed),
              static_cast<unsigned long long>(total.cases), total.example.c_str());
  return total.failed;
}

// Whether one of some chains breaks: for bugs that need more than two cuts.
bool AChainBreaks(const char* name, const StoreDesign& design, Plant plant = Plant::kNone) {
  UseStoreDesign(design);
  std::uint64_t cuts = 0;
  for (std::uint64_t seed = 1; seed <= kChainsMax; ++seed) {
    const Chain chain = RunChain(kChainCuts, seed, plant);
    cuts += chain.cuts;
    if (chain.broken == nullptr) continue;
    std::printf("%-34s broke after %llu random cuts. %s\n", name, static_cast<unsigned long long>(cuts), chain.broken);
    return true;
  }
  return false;
}

constexpr StoreDesign kSingle{
    .twice = false, .head_first = false, .kill = false, .guard = false, .kill_again = false, .firm = false};
constexpr StoreDesign kDouble{
    .twice = true, .head_first = false, .kill = false, .guard = false, .kill_again = false, .firm = false};
constexpr StoreDesign kSingleKill{
    .twice = false, .head_first = false, .kill = true, .guard = true, .kill_again = false, .firm = false};
constexpr StoreDesign kDoubleKill{
    .twice = true, .head_first = false, .kill = true, .guard = true, .kill_again = false, .firm = false};

TEST(PlantedBugs, WithAllItsRulesTheStoreHasNone) { EXPECT_EQ(Failures("all rules", {}), 0U); }

TEST(PlantedBugs, TheUsualDesignsOfTheStoreAreCaught) {
  EXPECT_GT(Failures("single commit, read back", kSingle), 0U);
  EXPECT_GT(Failures("double commit, repaired, no kill", kDouble), 0U);
  EXPECT_GT(Failures("single commit, kill, guard", kSingleKill), 0U);
  EXPECT_GT(Failures("double commit, kill, guard", kDoubleKill), 0U);
}

TEST(PlantedBugs, EachRuleOfTheStoreIsNeeded) {
  EXPECT_GT(Failures("without the second copy (S2)", {.twice = false}), 0U);
  EXPECT_GT(Failures("without the head first (S2)", {.head_first = false}), 0U);
  EXPECT_GT(Failures("without the kill (S3)", {.kill = false}), 0U);
  EXPECT_TRUE(AChainBreaks("without the second kill (S4)", {.kill_again = false}));
  EXPECT_TRUE(AChainBreaks("without the guard (S4)", {.guard = false}));
  EXPECT_TRUE(AChainBreaks("without the second program (S6)", {.firm = false}));
}

TEST(PlantedBugs, StepsInTheWrongOrderAreCaught) {
  EXPECT_GT(Failures("jump before the commit", {}, Plant::kJumpBeforeCommit), 0U);
  EXPECT_GT(Failures("envelope before the flush", {}, Plant::kEnvelopeBeforeFlush), 0U);
  EXPECT_GT(Failures("envelope not erased first", {}, Plant::kEnvelopeNotErased), 0U);
  EXPECT_TRUE(AChainBreaks("a slot that was found is kept", {}, Plant::kFoundSlotKept));
  EXPECT_TRUE(AChainBreaks("an image that was found is kept", {}, Plant::kFoundImageKept));
}

}  // namespace
}  // namespace pawl::powercut
