// Any bytes: refused, or decoded to a message that survives another round.
#include "base/assert.h"
#include "wire/json/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = pawl::wire::DecodeDown(pawl::AsText({data, size}));
  if (!message) return 0;
  const std::string text = pawl::wire::Encode(*message);
  if (text.size() > pawl::wire::kMaxMessageBytes) return 0;  // escapes may be longer than what they stand for
  const auto again = pawl::wire::DecodeDown(text);
  PAWL_ASSERT(again.has_value() && *again == *message);
  return 0;
}
