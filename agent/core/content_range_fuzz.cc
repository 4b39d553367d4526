#include "agent/core/content_range.h"
#include "base/assert.h"
#include "base/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto range = pawl::agent::ParseContentRange(pawl::AsText({data, size}));
  if (range) {
    PAWL_ASSERT(range->first <= range->last);
    PAWL_ASSERT(!range->total || *range->total > range->last);
  }
  return 0;
}
