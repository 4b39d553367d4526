// Request targets and Range headers: whatever comes, the decoded path has no way out and a range lies within the file.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "platform/io/http/message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pawl::http;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto target = ParseTarget(text)) {
    PAWL_ASSERT(target->path.starts_with('/') && target->query.size() <= kMaxQueryFields);
    PAWL_ASSERT(!target->path.ends_with("/..") && target->path.find("/../") == std::string::npos);
    for (const char c : target->path) PAWL_ASSERT(static_cast<unsigned char>(c) >= 0x20);
  }
  for (const std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1000}, ~std::uint64_t{0}}) {
    const RangeDecision decision = DecideRange(text, bytes);
    if (decision.kind != RangeKind::kPart) continue;
    PAWL_ASSERT(decision.range.bytes > 0 && decision.range.first < bytes);
    PAWL_ASSERT(decision.range.bytes <= bytes - decision.range.first);
  }
  TagListHas(text, "\"tag\"", true);
  return 0;
}
