#include "trust/manifest/pieces.h"

namespace pawl {
namespace {

constexpr std::uint64_t kEnvelopeTag = 107;
constexpr std::int64_t kAuthenticationWrapper = 2;
constexpr std::int64_t kManifestMember = 3;

// << [ << SUIT_Digest >>, 1..4 x << COSE_Sign1 >> ] >>
void ReadAuthentication(cbor::Reader& reader, ByteView envelope, EnvelopeView& view) {
  const std::size_t outer = reader.Enter();
  const std::uint64_t items = reader.Array();
  reader.Require(items >= 2 && items <= 1 + kMaxSignatures, "not 1 to 4 signatures (R1)");
  const std::size_t digest_end = reader.Enter();
  const std::size_t digest_begin = reader.offset();
  view.digest = ReadSuitDigest(reader);
  reader.Leave(digest_end);
  view.suit_digest = envelope.subspan(digest_begin, reader.offset() - digest_begin);
  for (std::uint64_t i = 1; i < items && reader.ok(); ++i) {
    const std::size_t block_end = reader.Enter();
    view.signatures.push_back(ReadSign1(reader, nullptr));
    reader.Leave(block_end);
  }
  reader.Leave(outer);
}

}  // namespace

Result<EnvelopeView> DecodeEnvelope(ByteView envelope) {
  if (envelope.size() > kMaxEnvelopeBytes) {
    return Fail(Reason::kMalformedManifest, "envelope: over 8192 bytes (R1)");
  }
  EnvelopeView view;
  cbor::Reader reader(envelope);
  reader.Tag(kEnvelopeTag);
  reader.Map(2);
  reader.Expect(kAuthenticationWrapper);
  ReadAuthentication(reader, envelope, view);
  reader.Expect(kManifestMember);
  const std::size_t begin = reader.offset();
  view.manifest = reader.Bytes();
  view.manifest_bstr = envelope.subspan(begin, reader.offset() - begin);
  PAWL_TRY(reader.Finish(Reason::kMalformedManifest, "envelope"));
  return view;
}

Result<std::size_t> EncodeEnvelope(ByteView manifest, const Digest& digest, std::span<const SignatureBlock> signatures,
                                   MutableBytes to) {
  PAWL_ASSERT(!signatures.empty() && signatures.size() <= kMaxSignatures);
  cbor::Writer writer(to.first(std::min(to.size(), kMaxEnvelopeBytes)));
  writer.Tag(kEnvelopeTag);
  writer.Map(2);
  writer.Int(kAuthenticationWrapper);
  const std::size_t wrapper = writer.Begin();
  writer.Array(1 + signatures.size());
  WriteWrappedSuitDigest(writer, digest);
  for (const SignatureBlock& block : signatures) {
    const std::size_t begin = writer.Begin();
    WriteSign1(writer, block, nullptr);
    writer.End(begin);
  }
  writer.End(wrapper);
  writer.Int(kManifestMember);
  writer.Bytes(manifest);
  return writer.Finish();
}

std::size_t WriteBstrHeader(std::size_t content_bytes, std::span<std::uint8_t, 9> to) {
  return cbor::WriteHead(cbor::Major::kBytes, content_bytes, to);
}

SuitDigest EncodeSuitDigest(const Digest& digest) {
  SuitDigest encoded{};
  cbor::Writer writer(encoded);
  WriteSuitDigest(writer, digest);
  PAWL_ASSERT(writer.Finish().value_or(0) == kSuitDigestBytes);
  return encoded;
}

}  // namespace pawl
