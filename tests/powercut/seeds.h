// How long the power-cut tests run: PAWL_POWER_CUT_SEEDS, 1 if it is not set.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace pawl::powercut {

inline std::uint64_t SeedsFromEnvironment() {
  const char* text = std::getenv("PAWL_POWER_CUT_SEEDS");
  return text != nullptr ? std::max<std::uint64_t>(std::strtoull(text, nullptr, 10), 1) : 1;
}

}  // namespace pawl::powercut
