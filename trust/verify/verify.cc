#include "trust/verify/verify.h"

#include "base/text.h"
#include "trust/crypto/crypto.h"
#include "trust/manifest/template.h"

namespace pawl {
namespace {

constexpr std::int8_t kEsp256 = -9;
constexpr std::uint64_t kTrailerBytes = 8192;  // the end of each slot, for the envelope (docs/spec/manifest.md)

// Of what is signed, between kid and digest or payload: the external data, and for a manifest the head of SUIT_Digest.
constexpr std::array<std::uint8_t, 7> kImageMiddle = {0x40, 0x58, kSuitDigestBytes, 0x82, 0x2f, 0x58, 0x20};
constexpr auto kPermitMiddle = [] {
  std::array<std::uint8_t, 1 + kPermitAad.size()> bstr{0x40 + kPermitAad.size()};
  std::ranges::copy(kPermitAad, bstr.begin() + 1);
  return bstr;
}();

Error KeyError(Reason reason, const KeyId& kid) {
  Error error{reason, "kid "};
  if constexpr (kBrief) return error;
  std::array<char, 2 * sizeof(KeyId)> hex{};
  error.detail.append(HexEncode(kid, hex));
  return error;
}

Error NumberError(Reason reason, std::string_view what, std::uint64_t value, std::string_view than,
                  std::uint64_t limit) {
  Error error{reason, what};
  if constexpr (kBrief) return error;
  error.detail.append(" ").append_number(value).append(than).append_number(limit);
  return error;
}

Error UuidError(Reason reason, const Uuid& uuid) {
  Error error{reason, "the manifest is for "};
  if constexpr (kBrief) return error;
  std::array<char, 2 * sizeof(Uuid)> hex{};
  error.detail.append(HexEncode(uuid, hex));
  return error;
}

// What is signed, behind the kid: ["Signature1", << {1: -9, 4: kid} >>, aad, payload]. Hashed where it lies;
// WriteSigStructure writes the same.
struct Signed {
  ByteView middle;
  ByteView end;
};

// One signature under a key of this role.
Status CheckSignature(const SignatureBlock& block, Role role, const Signed& what, const KeyTable& keys) {
  const Key* key = FindKid(keys, block.kid);
  if (key == nullptr) return std::unexpected(KeyError(Reason::kUnknownKey, block.kid));
  if (!key->has(role)) return std::unexpected(KeyError(Reason::kWrongKeyRole, block.kid));
  crypto::Sha256 hash;
  hash.Update(kSigStructureBegin);
  hash.Update(block.kid);
  hash.Update(what.middle);
  hash.Update(what.end);
  // The block says ESP256 (R2); the key must be bound to it too.
  const bool holds = key->algorithm == kEsp256 && crypto::VerifyP256(key->public_key, hash.Finish(), block.signature);
  if (!holds) return std::unexpected(KeyError(Reason::kInvalidSignature, block.kid));
  return {};
}

Status CheckSignatures(const EnvelopeView& envelope, const KeyTable& keys) {
  const Signed what{kImageMiddle, envelope.digest};
  std::size_t seen = 0;
  for (const SignatureBlock& block : envelope.signatures) {
    if (IndexOf(block.kid, envelope.signatures.data(), seen, sizeof(SignatureBlock)) != seen) {
      return Fail(Reason::kMalformedManifest, "envelope: two signatures of one key (R2)");
    }
    ++seen;
    PAWL_TRY(CheckSignature(block, Role::kImage, what, keys));
  }
  const std::uint8_t threshold = Threshold(keys, Role::kImage);
  if (seen != 0 && seen >= threshold) return {};
  return std::unexpected(NumberError(Reason::kInvalidSignature, "signatures:", seen, ", needed: ", threshold));
}

// All but the manifest itself.
Status CheckEnvelope(const EnvelopeView& envelope, const KeyTable& keys) {
  PAWL_TRY(CheckSignatures(envelope, keys));
  if (crypto::Hash(envelope.manifest_bstr) != envelope.digest) return Fail(Reason::kDigestMismatch);
  return {};
}

Result<Permit> CheckPermit(ByteView cose_sign1, const KeyTable& keys) {
  PAWL_ASSIGN(const PermitView& view, DecodePermitEnvelope(cose_sign1));
  PAWL_TRY(CheckSignature(view.signature, Role::kDirector, {kPermitMiddle, view.payload_bstr}, keys));
  return DecodePermit(view.payload);
}

}  // namespace

Result<VerifiedManifest> Verify(ByteView envelope, const KeyTable& keys) {
  const Result<EnvelopeView> view = DecodeEnvelope(envelope);
  if (!view) return std::unexpected(view.error());
  PAWL_TRY(CheckEnvelope(*view, keys));
  Result<VerifiedManifest> verified(std::in_place, VerifiedManifest::Pass());
  verified->digest_ = view->digest;
  templates::Reader reader(view->manifest);  // R3: the same bytes
  ReadManifest(reader, verified->manifest_);
  reader.Finish(verified, Reason::kMalformedManifest, "manifest");
  return verified;
}

Result<BootableManifest> CheckBootable(const VerifiedManifest& verified, const Target& target) {
  const Manifest& manifest = verified.get();
  if (manifest.vendor != target.vendor) return std::unexpected(UuidError(Reason::kWrongVendor, manifest.vendor));
  if (manifest.cls != target.cls) return std::unexpected(UuidError(Reason::kWrongClass, manifest.cls));
  if (manifest.slot && manifest.slot != target.slot) return Fail(Reason::kWrongSlot);
  if (manifest.min_board_revision > target.board_revision) {
    return std::unexpected(NumberError(Reason::kWrongBoard, "needs board revision", manifest.min_board_revision,
                                       ", this is ", target.board_revision));
  }
  if (manifest.security_version < target.security_floor) {
    return std::unexpected(NumberError(Reason::kSecurityVersion, "security version", manifest.security_version,
                                       " is below the floor ", target.security_floor));
  }
  // An image has less than 2^53 bytes: the sum is right.
  if (manifest.image_bytes + kTrailerBytes > target.slot_bytes) {
    return std::unexpected(NumberError(Reason::kImageTooLarge, "image and trailer bytes",
                                       manifest.image_bytes + kTrailerBytes, " of ", target.slot_bytes));
  }
  return Result<BootableManifest>(std::in_place, BootableManifest::Pass(), verified);
}

Result<InstallableManifest> CheckInstallable(const BootableManifest& bootable, const Running& running,
                                             std::uint64_t now_s) {
  const Manifest& manifest = bootable.get();
  if (manifest.sequence == running.sequence && manifest.image_digest == running.image_digest) {
    return Fail(Reason::kAlreadyRunning);
  }
  if (manifest.sequence <= running.sequence) {
    return std::unexpected(NumberError(Reason::kDowngrade, "sequence number", manifest.sequence,
                                       " does not follow the running ", running.sequence));
  }
  if (manifest.use_before && now_s >= *manifest.use_before) {
    return std::unexpected(NumberError(Reason::kExpired, "use before", *manifest.use_before, " s, it is ", now_s));
  }
  if (manifest.version_match && !Matches(*manifest.version_match, running.version)) {
    return Fail(Reason::kWrongVersion, ToText(running.version));
  }
  if (manifest.format != PayloadFormat::kRaw) {
    return Fail(Reason::kUnsupportedEncoding, manifest.format == PayloadFormat::kZstd ? "zstd" : "delta");
  }
  return Result<InstallableManifest>(std::in_place, InstallableManifest::Pass(), bootable);
}

Result<VerifiedPermit> VerifyPermit(ByteView cose_sign1, const KeyTable& keys) {
  Result<Permit> permit = CheckPermit(cose_sign1, keys);
  if (permit) return VerifiedPermit(*permit);
  // P1 has one reason; what exactly was wrong goes into its detail.
  const Error& cause = permit.error();
  if (cause.reason == Reason::kPermitSignature) return std::unexpected(cause);
  Error error{Reason::kPermitSignature, Text(cause.reason)};
  error.detail.append(" ").append(cause.detail);
  return std::unexpected(error);
}

}  // namespace pawl
