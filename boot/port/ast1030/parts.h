// The parts of the port that its Start brings up. Private to boot/port/ast1030.
#pragma once

#include <cstdint>

namespace pawl::board {

void StartClock();  // console.cc

void StartWatchdogFor(std::uint32_t window_ms);  // reset.cc

}  // namespace pawl::board
