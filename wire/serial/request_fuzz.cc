// A request that decodes is exactly what it encodes to.
#include "base/assert.h"
#include "wire/serial/serial.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pawl;
  const ByteView input(data, size);
  const auto request = serial::DecodeRequest(input);
  if (!request) return 0;
  const serial::Payload again = serial::Encode(*request);
  PAWL_ASSERT(Equal(again, input));
  return 0;
}
