// Waits between tries: exponential with full jitter, so that a fleet never returns at one moment.
#pragma once

#include <algorithm>
#include <cstdint>

namespace pawl::agent {

struct Backoff {
  std::uint64_t base_ms = 500;
  std::uint64_t cap_ms = 120'000;
};

inline constexpr std::uint32_t kBackoffTriesMax = 32;  // more doublings change nothing

// The longest wait before try number `tries` (0: the first retry): min(cap, base * 2^tries).
constexpr std::uint64_t LongestWait(const Backoff& backoff, std::uint32_t tries) {
  const std::uint32_t doublings = std::min(tries, kBackoffTriesMax);
  if (backoff.base_ms > (backoff.cap_ms >> doublings)) return backoff.cap_ms;
  return backoff.base_ms << doublings;
}

// Uniform in 0..LongestWait. `random`: 64 uniform bits.
constexpr std::uint64_t FullJitter(const Backoff& backoff, std::uint32_t tries, std::uint64_t random) {
  return random % (LongestWait(backoff, tries) + 1);
}

}  // namespace pawl::agent
