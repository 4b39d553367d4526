// PAWL_ASSERT: a bug ends the program, in release builds too. Never used on data from outside.
#pragma once

#include "base/brief.h"

namespace pawl {

// Provided by base/hosted/assert.cc on an operating system, by the port on bare metal.
[[noreturn]] void AssertFailed(const char* expression, const char* file, int line);

}  // namespace pawl

#define PAWL_ASSERT(expression)                                                            \
  do {                                                                                     \
    if (!(expression)) [[unlikely]]                                                        \
      ::pawl::AssertFailed(::pawl::Wordy(#expression), ::pawl::Wordy(__FILE__), __LINE__); \
  } while (false)
