// Bodies of requests: whatever comes, they are read or refused, and times, digests and numbers too.
#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "platform/io/http/members.h"
#include "platform/io/http/rules.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pawl::http;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto object = ParseJsonObject(text)) {
    Members members(*object, "body");
    if (const auto name = members.Text("name", IsName, "")) PAWL_ASSERT(!name->empty());
    if (const auto number = members.Number("number", 5, 10)) PAWL_ASSERT(*number >= 5 && *number <= 10);
    if (const auto texts = members.Texts("texts", 3, IsLabel, "")) PAWL_ASSERT(texts->size() <= 3);
    const auto ended = members.End();
    PAWL_ASSERT(ended.has_value() == (object->size() == std::size_t{object->contains("name")} +
                                                            object->contains("number") + object->contains("texts")));
  }
  if (const auto seconds = ParseTimeToSeconds(text))
    PAWL_ASSERT(TimeTextOfSeconds(*seconds).substr(0, 19) == text.substr(0, 19));
  if (const auto digest = ParseDigest(text)) PAWL_ASSERT(text.size() == 64);
  return 0;
}
