// The Content-Range header of a 206 answer (RFC 9110 section 14.4), strictly: "bytes 0-65535/150000" or ".../*".
#pragma once

#include <optional>

#include "base/result.h"

namespace pawl::agent {

struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;              // >= first
  std::optional<std::uint64_t> total;  // > last; nothing: unknown
};

// Errors: malformed.
Result<ContentRange> ParseContentRange(std::string_view value);

}  // namespace pawl::agent
