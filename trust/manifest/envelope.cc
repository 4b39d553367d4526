#include "trust/manifest/pieces.h"

namespace pawl {
namespace {

using namespace templates;  // NOLINT(google-build-using-namespace): so that the tables read like the specification
using cbor::Major;

constexpr auto kEnvelopeBegin = Template(0xd8, 107, 0xa2, 2);  // 107({ 2: << [ ... ] >>,
constexpr unsigned kManifestKey = 3;                           //       3: << manifest >> })
constexpr auto kSuitDigest = Template(WrappedSuitDigestPart(At(0)));
constexpr auto kBlock = Template(0x58, 0x54, kSign1Begin, 0xf6, kSign1End);
constexpr auto kBareSuitDigest = Template(SuitDigestPart(At(0)));

// << [ << SUIT_Digest >>, 1..4 x << COSE_Sign1 >> ] >>
void ReadAuthentication(Reader& reader, EnvelopeView& view) {
  const std::uint8_t* outer_end = reader.Enter(Major::kBytes);
  const std::size_t items = reader.Count(Major::kArray, 2, 1 + kMaxSignatures, Wordy("not 1 to 4 signatures (R1)"));
  reader.Read(kSuitDigest, view.digest);
  view.signatures.resize(items - 1);
  for (SignatureBlock& block : view.signatures) reader.Read(kBlock, block);
  reader.Leave(outer_end);
}

}  // namespace

Result<EnvelopeView> DecodeEnvelope(ByteView envelope) {
  Result<EnvelopeView> decoded;
  EnvelopeView& view = *decoded;
  Reader reader(envelope, kMaxEnvelopeBytes, Wordy("over 8192 bytes (R1)"));
  reader.Read(kEnvelopeBegin, view);
  ReadAuthentication(reader, view);
  reader.Expect(kManifestKey);
  const std::uint8_t* begin = reader.at();
  const std::uint8_t* end = reader.Enter(Major::kBytes);
  view.manifest = reader.Rest();
  reader.Leave(end);
  view.manifest_bstr = reader.Since(begin);
  reader.Finish(decoded, Reason::kMalformedManifest, "envelope");
  return decoded;
}

Result<std::size_t> EncodeEnvelope(ByteView manifest, const Digest& digest, std::span<const SignatureBlock> signatures,
                                   MutableBytes to) {
  PAWL_ASSERT(!signatures.empty() && signatures.size() <= kMaxSignatures);
  Writer writer(to.first(std::min(to.size(), kMaxEnvelopeBytes)));
  writer.Write(kEnvelopeBegin, digest);
  const std::size_t wrapper = writer.Begin();
  writer.Head(Major::kArray, 1 + signatures.size());
  writer.Write(kSuitDigest, digest);
  for (const SignatureBlock& block : signatures) writer.Write(kBlock, block);
  writer.End(wrapper);
  writer.Head(Major::kUint, kManifestKey);
  writer.Bytes(manifest);
  return writer.Finish();
}

std::size_t WriteBstrHeader(std::size_t content_bytes, std::span<std::uint8_t, 9> to) {
  return cbor::WriteHead(Major::kBytes, content_bytes, to);
}

SuitDigest EncodeSuitDigest(const Digest& digest) {
  SuitDigest encoded{};
  Writer writer(encoded);
  writer.Write(kBareSuitDigest, digest);
  PAWL_ASSERT(writer.Finish().value_or(0) == kSuitDigestBytes);
  return encoded;
}

std::size_t WriteSigStructure(const KeyId& kid, ByteView external_aad, ByteView payload, MutableBytes to) {
  Writer writer(to);
  writer.Raw(kSigStructureBegin);
  writer.Raw(kid);
  writer.Bytes(external_aad);
  writer.Bytes(payload);
  const Result<std::size_t> size = writer.Finish();
  PAWL_ASSERT(size.has_value());
  return *size;
}

}  // namespace pawl
