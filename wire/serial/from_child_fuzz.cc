// An answer or telling that decodes is exactly what it encodes to.
#include "base/assert.h"
#include "wire/serial/serial.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pawl;
  const ByteView input(data, size);
  const auto message = serial::DecodeFromChild(input);
  if (!message) return 0;
  const auto* answer = std::get_if<serial::NumberedAnswer>(&*message);
  const serial::Payload again =
      answer != nullptr ? serial::Encode(*answer) : serial::Encode(std::get<serial::Telling>(*message));
  PAWL_ASSERT(Equal(again, input));
  return 0;
}
