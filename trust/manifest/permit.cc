#include "trust/manifest/pieces.h"

namespace pawl {
namespace {

using namespace templates;  // NOLINT(google-build-using-namespace): so that the tables read like the specification
using cbor::Major;

constexpr auto kSignBegin = Template(kSign1Begin);
constexpr auto kSignEnd = Template(kSign1End);

constexpr auto kPayloadBegin = Template(0xa5, 1);              // {1: device id,
constexpr auto kPayloadEnd = Template(                         //
    2, Uint53(PAWL_AT(Permit, job)),                           // 2: job,
    3, 0x58, 0x20, Raw(PAWL_AT(Permit, manifest_digest), 32),  // 3: digest of the manifest,
    4, 0x50, Raw(PAWL_AT(Permit, nonce), 16),                  // 4: nonce,
    5, Uint32From1(PAWL_AT(Permit, use_within_s)));            // 5: use within}

// [a-z0-9][a-z0-9._-]{0,62}
bool IsDeviceId(std::string_view id) {
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const auto allowed = [&](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; };
  return !id.empty() && id.size() <= 63 && alphanumeric(id[0]) && std::ranges::all_of(id, allowed);
}

}  // namespace

Result<PermitView> DecodePermitEnvelope(ByteView cose_sign1) {
  PermitView view;
  Reader reader(cose_sign1, kMaxPermitBytes, Wordy("over 512 bytes (R1)"));
  reader.Read(kSignBegin, view.signature);
  const std::uint8_t* begin = reader.at();
  const std::uint8_t* end = reader.Enter(Major::kBytes);
  view.payload = reader.Rest();
  reader.Leave(end);
  view.payload_bstr = reader.Since(begin);
  reader.Read(kSignEnd, view.signature);
  PAWL_TRY(reader.Finish(Reason::kPermitSignature, "permit"));
  return view;
}

Result<Permit> DecodePermit(ByteView payload) {
  Permit permit;
  Reader reader(payload);
  reader.Read(kPayloadBegin, permit);
  const std::uint8_t* end = reader.Enter(Major::kText);
  const std::string_view device = AsText(reader.Rest());
  reader.Leave(end);
  reader.Require(IsDeviceId(device), "not a device id (R4)");
  reader.Read(kPayloadEnd, permit);
  reader.Require(permit.use_within_s <= kMaxPermitLifeS, cbor::kOverLimit);
  PAWL_TRY(reader.Finish(Reason::kPermitSignature, "permit payload"));
  permit.device = device;
  return permit;
}

Result<std::size_t> EncodePermit(const Permit& permit, MutableBytes to) {
  Writer writer(to);
  writer.Write(kPayloadBegin, permit);
  writer.Head(Major::kText, permit.device.size());
  writer.Raw(AsBytes(permit.device));
  writer.Write(kPayloadEnd, permit);
  PAWL_ASSIGN(const std::size_t size, writer.Finish());
  // One place knows which values are allowed: the decoder.
  const Result<Permit> check = DecodePermit(to.first(size));
  if (!check) return Fail(Reason::kInvalidArgument, check.error().detail);
  return size;
}

Result<std::size_t> EncodePermitEnvelope(ByteView payload, const SignatureBlock& signature, MutableBytes to) {
  Writer writer(to.first(std::min(to.size(), kMaxPermitBytes)));
  writer.Write(kSignBegin, signature);
  writer.Bytes(payload);
  writer.Write(kSignEnd, signature);
  return writer.Finish();
}

}  // namespace pawl
