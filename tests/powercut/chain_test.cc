// 300,000 random cuts in a row on one device. PAWL_POWER_CUT_SEEDS (default 1): so many devices.
#include "tests/powercut/chain.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "tests/powercut/seeds.h"

namespace pawl::powercut {
namespace {

TEST(PowerCutChain, OfRandomCutsLosesNothingAndTheDeviceGoesOnUpdating) {
  constexpr std::uint64_t kCuts = 300'000;
  for (std::uint64_t seed = 1; seed <= SeedsFromEnvironment(); ++seed) {
    const Chain chain = RunChain(kCuts, seed);
    EXPECT_EQ(chain.broken, nullptr) << chain.broken << ", seed " << seed << ", after " << chain.cuts << " cuts";
    EXPECT_EQ(chain.cuts, kCuts);
    EXPECT_GT(chain.updates, kCuts / 10);
    std::printf("seed %llu: %llu cuts in a row, %u updates begun\n", static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(chain.cuts), chain.updates);
  }
}

}  // namespace
}  // namespace pawl::powercut
