#include "trust/manifest/pieces.h"

namespace pawl {

Digest ReadSuitDigest(cbor::Reader& reader) {
  Digest digest{};
  reader.Array(2);
  reader.Expect(kSha256Algorithm);
  reader.Fixed(digest);
  return digest;
}

Digest ReadWrappedSuitDigest(cbor::Reader& reader) {
  const std::size_t outer = reader.Enter();
  const Digest digest = ReadSuitDigest(reader);
  reader.Leave(outer);
  return digest;
}

void WriteSuitDigest(cbor::Writer& writer, const Digest& digest) {
  writer.Array(2);
  writer.Int(kSha256Algorithm);
  writer.Bytes(digest);
}

void WriteWrappedSuitDigest(cbor::Writer& writer, const Digest& digest) {
  const std::size_t begin = writer.Begin();
  WriteSuitDigest(writer, digest);
  writer.End(begin);
}

KeyId ReadProtectedHeader(cbor::Reader& reader) {
  KeyId kid{};
  const std::size_t outer = reader.Enter();
  reader.Map(2);
  reader.Expect(1);
  reader.Expect(kEsp256Algorithm);
  reader.Expect(4);
  reader.Fixed(kid);
  reader.Leave(outer);
  return kid;
}

void WriteProtectedHeader(cbor::Writer& writer, const KeyId& kid) {
  const std::size_t begin = writer.Begin();
  writer.Map(2);
  writer.Int(1);
  writer.Int(kEsp256Algorithm);
  writer.Int(4);
  writer.Bytes(kid);
  writer.End(begin);
}

SignatureBlock ReadSign1(cbor::Reader& reader, ByteView* payload) {
  SignatureBlock block;
  reader.Tag(kCoseSign1Tag);
  reader.Array(4);
  block.kid = ReadProtectedHeader(reader);
  reader.Map(0);  // R2: skipping the unprotected header generically would let bit flips through
  if (payload != nullptr) {
    *payload = reader.Bytes();
  } else {
    reader.Null();
  }
  reader.Fixed(block.signature);
  return block;
}

void WriteSign1(cbor::Writer& writer, const SignatureBlock& block, const ByteView* payload) {
  writer.Tag(kCoseSign1Tag);
  writer.Array(4);
  WriteProtectedHeader(writer, block.kid);
  writer.Map(0);
  if (payload != nullptr) {
    writer.Bytes(*payload);
  } else {
    writer.Null();
  }
  writer.Bytes(block.signature);
}

std::size_t WriteSigStructure(const KeyId& kid, ByteView external_aad, ByteView payload, MutableBytes to) {
  cbor::Writer writer(to);
  writer.Array(4);
  writer.Text("Signature1");
  WriteProtectedHeader(writer, kid);
  writer.Bytes(external_aad);
  writer.Bytes(payload);
  const Result<std::size_t> size = writer.Finish();
  PAWL_ASSERT(size.has_value());
  return *size;
}

}  // namespace pawl
