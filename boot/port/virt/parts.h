// The parts of the port that its Start brings up. Private to boot/port/virt.
#pragma once

#include "boot/port/board.h"
#include "boot/port/virt/memory_map.h"

namespace pawl::board {

void StartConsole();   // console.cc
void StartIdle();      // idle.cc
void StartWatchdog();  // watchdog.cc: finds it on the bus; Crash if it is not there

void StartWatchdogFor(std::uint32_t window_ms);
std::uint32_t TicksPerMillisecond();  // console.cc

// watchdog.cc: whether it made the last reset. Asked once: the answer is cleared.
bool TakeWatchdogFired();

}  // namespace pawl::board
