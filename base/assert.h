// PAWL_ASSERT: a bug ends the program, in release builds too. Never used on data from outside.
#pragma once

#include "base/brief.h"

namespace pawl {

// Provided by base/hosted/assert.cc on an operating system, by the port on bare metal.
[[noreturn]] void AssertFailed(const char* expression, const char* file, int line);
// The same of a brief build, which has nothing to say: a call without arguments, four bytes at each assertion.
[[noreturn]] void AssertFailedBriefly();

}  // namespace pawl

#define PAWL_ASSERT(expression)                                \
  do {                                                         \
    if (!(expression)) [[unlikely]] {                          \
      if constexpr (::pawl::kBrief) {                          \
        ::pawl::AssertFailedBriefly();                         \
      } else {                                                 \
        ::pawl::AssertFailed(#expression, __FILE__, __LINE__); \
      }                                                        \
    }                                                          \
  } while (false)
