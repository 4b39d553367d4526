// Every scenario, a cut at every flash operation, torn at every program unit; and a second cut at every operation of
// the recovery. Prints how many distinct cases that were, also into power_cuts.txt beside the program.
//
// PAWL_POWER_CUT_SEEDS (default 1, useful up to 5): the scenarios again, so many places where compactions come.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "tests/powercut/campaign.h"
#include "tests/powercut/memo.h"
#include "tests/powercut/seeds.h"

namespace pawl::powercut {
namespace {

constexpr std::uint64_t kCasesMin = 1'000'000;

std::vector<Scenario> Scenarios() {
  std::vector<Scenario> all = {{"first boot", {Behaviour::kGood}, RecordKind::kBlank, 0, 1},
                               {"lost record", {Behaviour::kGood}, RecordKind::kLost, 0, 1},
                               {"confirm, floor", {Behaviour::kGood}, RecordKind::kValid, 3}};
  for (std::uint32_t commits = 1; commits <= SeedsFromEnvironment(); ++commits) {
    all.push_back({"confirm, floor", {Behaviour::kGood}, RecordKind::kValid, commits});
    all.push_back({"failed self-test", {Behaviour::kFailsItsTest}, RecordKind::kValid, commits});
    all.push_back({"hang", {Behaviour::kHangs}, RecordKind::kValid, commits});
    all.push_back({"crash", {Behaviour::kCrashes}, RecordKind::kValid, commits + 1});
    all.push_back({"brown-out", {Behaviour::kBrownsOut}, RecordKind::kValid, commits});
    all.push_back({"staged image rots", {Behaviour::kRotsPending}, RecordKind::kValid, commits});
    all.push_back({"confirmed image rots", {Behaviour::kRotsConfirmed}, RecordKind::kValid, commits});
  }
  return all;
}

void Print(const std::string& scenario, const Count& count) {
  std::printf("%-22s %12llu %12llu %8llu\n", scenario.c_str(), static_cast<unsigned long long>(count.first_cuts),
              static_cast<unsigned long long>(count.cases), static_cast<unsigned long long>(count.failed));
}

TEST(PowerCut, AtEveryOperationOfEveryScenarioAndAgainInTheRecoveryNothingIsLost) {
  Count total;
  std::printf("%-22s %12s %12s %8s\n", "scenario", "first cuts", "cases", "failed");
  for (const Scenario& scenario : Scenarios()) {
    const Count count = Campaign().Run(scenario);
    Print(scenario.name, count);
    EXPECT_EQ(count.failed, 0U) << count.example;
    total += count;
  }
  Print("all", total);
  EXPECT_GE(total.cases, kCasesMin);
  EXPECT_GT(VerdictsRemembered(), 0U) << "--wrap does not reach VerifySlot any more: this would take hours";
  std::ofstream(PAWL_POWER_CUTS_FILE) << "power cuts: " << total.cases << " distinct cases, " << total.failed
                                      << " failed\n";
}

}  // namespace
}  // namespace pawl::powercut
