// Only the genuine bytes verify: whatever else is accepted under the worked examples' keys is a forgery.
#include "base/assert.h"
#include "trust/verify/golden.h"
#include "trust/verify/verify.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const pawl::KeyTable keys = pawl::golden::TheKeys();
  static const auto envelope = pawl::golden::Hex(pawl::golden::kEnvelope);
  static const auto permit = pawl::golden::Hex(pawl::golden::kPermit);
  const pawl::ByteView bytes(data, size);
  PAWL_ASSERT(!pawl::Verify(bytes, keys).has_value() || pawl::Equal(bytes, envelope));
  PAWL_ASSERT(!pawl::VerifyPermit(bytes, keys).has_value() || pawl::Equal(bytes, permit));
  return 0;
}
