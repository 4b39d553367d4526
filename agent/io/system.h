// Clock and chance, from the operating system.
#pragma once

#include "agent/core/time.h"
#include "base/bytes.h"
#include "base/hosted/files.h"

namespace pawl::agent {

std::uint64_t MonotonicMs();  // goes on while the device sleeps
std::uint64_t WallS();        // 0: before 1970
TimePoint Now();

void FillRandom(MutableBytes to);  // cryptographic; a failure ends the program
Draw DrawRandom();

// Readable from the first SIGTERM or SIGINT on; they no longer end the program by themselves.
OwnedFd OpenStopSignals();

}  // namespace pawl::agent
