// Time and chance as the pure parts of the agent see them: arguments, never calls.
#pragma once

#include "base/bytes.h"

namespace pawl::agent {

struct TimePoint {
  std::uint64_t ms = 0;      // monotonic, since some fixed point of this boot
  std::uint64_t wall_s = 0;  // the system clock, seconds since 1970; not to be believed below the time floor
};

// Fresh random bits, drawn by the edge for each event.
struct Draw {
  Nonce nonce{};             // for what travels
  std::uint64_t jitter = 0;  // for waits
};

}  // namespace pawl::agent
