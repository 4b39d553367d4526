#include "trust/manifest/pieces.h"

namespace pawl {
namespace {

// [a-z0-9][a-z0-9._-]{0,62}
bool IsDeviceId(std::string_view id) {
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const auto allowed = [&](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; };
  return !id.empty() && id.size() <= 63 && alphanumeric(id[0]) && std::ranges::all_of(id, allowed);
}

}  // namespace

Result<PermitView> DecodePermitEnvelope(ByteView cose_sign1) {
  if (cose_sign1.size() > kMaxPermitBytes) return Fail(Reason::kPermitSignature, "permit: over 512 bytes (R1)");
  PermitView view;
  cbor::Reader reader(cose_sign1);
  view.signature = ReadSign1(reader, &view.payload);
  PAWL_TRY(reader.Finish(Reason::kPermitSignature, "permit"));
  return view;
}

Result<Permit> DecodePermit(ByteView payload) {
  Permit permit;
  cbor::Reader reader(payload);
  reader.Map(5);
  reader.Expect(1);
  const std::string_view device = reader.Text();
  reader.Require(IsDeviceId(device), "not a device id (R4)");
  reader.Expect(2);
  permit.job = reader.Uint(cbor::kMaxUint53);
  reader.Expect(3);
  reader.Fixed(permit.manifest_digest);
  reader.Expect(4);
  reader.Fixed(permit.nonce);
  reader.Expect(5);
  permit.use_within_s = static_cast<std::uint32_t>(reader.Uint(kMaxPermitLifeS));
  reader.Require(permit.use_within_s >= 1, "a life of 0 s (R4)");
  PAWL_TRY(reader.Finish(Reason::kPermitSignature, "permit payload"));
  permit.device = device;
  return permit;
}

Result<std::size_t> EncodePermit(const Permit& permit, MutableBytes to) {
  cbor::Writer writer(to);
  writer.Map(5);
  writer.Int(1);
  writer.Text(permit.device);
  writer.Int(2);
  writer.Uint(permit.job);
  writer.Int(3);
  writer.Bytes(permit.manifest_digest);
  writer.Int(4);
  writer.Bytes(permit.nonce);
  writer.Int(5);
  writer.Uint(permit.use_within_s);
  PAWL_ASSIGN(const std::size_t size, writer.Finish());
  // One place knows which values are allowed: the decoder.
  const Result<Permit> check = DecodePermit(to.first(size));
  if (!check) return Fail(Reason::kInvalidArgument, check.error().detail);
  return size;
}

Result<std::size_t> EncodePermitEnvelope(ByteView payload, const SignatureBlock& signature, MutableBytes to) {
  cbor::Writer writer(to.first(std::min(to.size(), kMaxPermitBytes)));
  WriteSign1(writer, signature, &payload);
  return writer.Finish();
}

}  // namespace pawl
