// Whatever the reader accepts as deterministic is made of heads that the writer writes, and it never reads beyond.
#include "base/assert.h"
#include "trust/manifest/cbor.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const pawl::ByteView bytes(data, size);
  const bool accepted = pawl::cbor::CheckDeterministic(bytes).has_value();
  for (std::size_t part = 0; accepted && part < size; ++part) {
    PAWL_ASSERT(!pawl::cbor::CheckDeterministic(bytes.first(part)).has_value());  // no item is another's beginning
  }
  return 0;
}
