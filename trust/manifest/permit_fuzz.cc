// What the permit's decoders accept, the encoders write byte for byte: nothing was ignored.
#include "base/assert.h"
#include "trust/manifest/manifest.h"

namespace {

using pawl::ByteView;
std::array<std::uint8_t, pawl::kMaxPermitBytes> buffer;

void CheckPayload(ByteView bytes) {
  const auto permit = pawl::DecodePermit(bytes);
  if (!permit) return;
  const auto size = pawl::EncodePermit(*permit, buffer);
  PAWL_ASSERT(size.has_value() && pawl::Equal(ByteView(buffer).first(*size), bytes));
}

}  // namespace

// A payload alone, too.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes(data, std::min(size, buffer.size()));
  CheckPayload(bytes);
  const auto view = pawl::DecodePermitEnvelope(bytes);
  if (!view) return 0;
  const auto written = pawl::EncodePermitEnvelope(view->payload, view->signature, buffer);
  PAWL_ASSERT(written.has_value() && pawl::Equal(ByteView(buffer).first(*written), bytes));
  CheckPayload(view->payload);
  return 0;
}
