#include "trust/manifest/cbor.h"
#include "trust/verify/key_table.h"

namespace pawl {

Result<RomIdentity> DecodeRomIdentity(ByteView bytes) {
  RomIdentity identity;
  cbor::Reader reader(bytes);
  reader.Map(4);
  reader.Expect(1);
  reader.Fixed(identity.vendor);
  reader.Expect(2);
  reader.Fixed(identity.cls);
  reader.Expect(3);
  identity.board_revision = reader.Uint(cbor::kMaxUint32);
  reader.Expect(4);
  identity.min_security_version = reader.Uint(cbor::kMaxUint32);
  PAWL_TRY(reader.Finish(Reason::kMalformed, "ROM identity"));
  return identity;
}

Result<std::size_t> EncodeRomIdentity(const RomIdentity& identity, MutableBytes to) {
  cbor::Writer writer(to);
  writer.Map(4);
  writer.Int(1);
  writer.Bytes(identity.vendor);
  writer.Int(2);
  writer.Bytes(identity.cls);
  writer.Int(3);
  writer.Uint(identity.board_revision);
  writer.Int(4);
  writer.Uint(identity.min_security_version);
  PAWL_ASSIGN(const std::size_t size, writer.Finish());
  // One place knows which values are allowed: the decoder.
  const Result<RomIdentity> check = DecodeRomIdentity(to.first(size));
  if (!check) return Fail(Reason::kInvalidArgument, check.error().detail);
  return size;
}

}  // namespace pawl
