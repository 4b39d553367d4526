#include "agent/core/backoff.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace pawl::agent {
namespace {

TEST(Backoff, DoublesUpToTheCapAndStaysThere) {
  const Backoff backoff{.base_ms = 500, .cap_ms = 60'000};
  EXPECT_EQ(LongestWait(backoff, 0), 500U);
  EXPECT_EQ(LongestWait(backoff, 1), 1000U);
  EXPECT_EQ(LongestWait(backoff, 6), 32'000U);
  for (std::uint32_t tries = 7; tries < 200; ++tries) EXPECT_EQ(LongestWait(backoff, tries), 60'000U) << tries;
  EXPECT_EQ(LongestWait(backoff, UINT32_MAX), 60'000U);
}

TEST(Backoff, IsBoundedForEveryDrawAndReachesBothEnds) {
  const Backoff backoff{.base_ms = 7, .cap_ms = 100};
  for (std::uint32_t tries = 0; tries < 40; ++tries) {
    const std::uint64_t longest = LongestWait(backoff, tries);
    EXPECT_EQ(FullJitter(backoff, tries, 0), 0U);
    EXPECT_EQ(FullJitter(backoff, tries, longest), longest);
    for (std::uint64_t random : {std::uint64_t{1}, std::uint64_t{0x123456789abcdef0}, UINT64_MAX}) {
      EXPECT_LE(FullJitter(backoff, tries, random), longest);
    }
  }
}

TEST(Backoff, HasNoOverflowAtTheLargestCap) {
  const Backoff backoff{.base_ms = UINT64_MAX / 2, .cap_ms = UINT64_MAX - 1};
  EXPECT_EQ(LongestWait(backoff, 5), UINT64_MAX - 1);
}

}  // namespace
}  // namespace pawl::agent
