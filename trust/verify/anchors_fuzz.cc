// What the decoders of the anchors and of the ROM identity accept, the encoders write byte for byte.
#include "base/assert.h"
#include "trust/verify/key_table.h"

namespace {

std::array<std::uint8_t, pawl::kMaxAnchorsBytes> buffer;

template <class T>
void Check(pawl::ByteView bytes, const pawl::Result<T>& value,
           pawl::Result<std::size_t> (*encode)(const T&, pawl::MutableBytes)) {
  if (!value) return;
  const auto size = encode(*value, buffer);
  PAWL_ASSERT(size.has_value() && pawl::Equal(pawl::ByteView(buffer).first(*size), bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const pawl::ByteView bytes(data, size);
  Check(bytes, pawl::DecodeAnchors(bytes), &pawl::EncodeAnchors);
  Check(bytes, pawl::DecodeRomIdentity(bytes), &pawl::EncodeRomIdentity);
  return 0;
}
