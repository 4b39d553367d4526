// One device, and one random cut after the other.
#pragma once

#include "tests/powercut/device.h"

namespace pawl::powercut {

struct Chain {
  std::uint64_t cuts = 0;     // survived
  std::uint32_t updates = 0;  // begun meanwhile
  const char* broken = nullptr;
};
Chain RunChain(std::uint64_t cuts, std::uint64_t seed, Plant plant = Plant::kNone);

}  // namespace pawl::powercut
