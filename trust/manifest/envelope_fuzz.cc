// What the envelope's and the manifest's decoders accept, the encoders write byte for byte: nothing was ignored.
#include "base/assert.h"
#include "trust/manifest/manifest.h"

namespace {

using pawl::ByteView;
std::array<std::uint8_t, pawl::kMaxEnvelopeBytes> buffer;

void CheckManifest(ByteView bytes) {
  const auto manifest = pawl::DecodeManifest(bytes);
  if (!manifest) return;
  const auto size = pawl::EncodeManifest(*manifest, buffer);
  PAWL_ASSERT(size.has_value() && pawl::Equal(ByteView(buffer).first(*size), bytes));
}

}  // namespace

// A manifest alone, too: the fuzzer need not find its way through the envelope first.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes(data, size);
  CheckManifest(bytes);
  const auto view = pawl::DecodeEnvelope(bytes);
  if (!view) return 0;
  const auto written =
      pawl::EncodeEnvelope(view->manifest, view->digest, {view->signatures.begin(), view->signatures.end()}, buffer);
  PAWL_ASSERT(written.has_value() && pawl::Equal(ByteView(buffer).first(*written), bytes));
  CheckManifest(view->manifest);
  return 0;
}
