#include "trust/verify/verify.h"

#include "base/text.h"
#include "trust/crypto/crypto.h"

namespace pawl {
namespace {

constexpr std::int32_t kEsp256 = -9;
constexpr std::uint64_t kTrailerBytes = 8192;  // the end of each slot, for the envelope (docs/spec/manifest.md)

Error KeyError(Reason reason, const KeyId& kid) {
  std::array<char, 2 * sizeof(KeyId)> hex{};
  Error error{reason, "kid "};
  error.detail.append(HexEncode(kid, hex));
  return error;
}

Error NumberError(Reason reason, std::string_view what, std::uint64_t value, std::string_view than,
                  std::uint64_t limit) {
  Error error{reason, what};
  error.detail.append(" ").append_number(value).append(than).append_number(limit);
  return error;
}

Error UuidError(Reason reason, const Uuid& uuid) {
  std::array<char, 2 * sizeof(Uuid)> hex{};
  Error error{reason, "the manifest is for "};
  error.detail.append(HexEncode(uuid, hex));
  return error;
}

// One signature over ["Signature1", protected, aad, payload] under a key of this role.
template <std::size_t kMaxPayload>
Status CheckSignature(const SignatureBlock& block, Role role, std::string_view aad, ByteView payload,
                      const KeyTable& keys) {
  PAWL_ASSERT(payload.size() <= kMaxPayload);
  const Result<Key> key = FindKey(keys, block.kid, role);
  if (!key) return std::unexpected(KeyError(key.error().reason, block.kid));
  std::array<std::uint8_t, kMaxPayload + kPermitAad.size() + kSigStructureOverhead> structure;
  const std::size_t size = WriteSigStructure(block.kid, AsBytes(aad), payload, structure);
  // The block says ESP256 (R2); the key must be bound to it too.
  const bool holds =
      key->algorithm == kEsp256 &&
      crypto::VerifyP256(key->public_key, crypto::Hash(ByteView(structure).first(size)), block.signature);
  if (!holds) return std::unexpected(KeyError(Reason::kInvalidSignature, block.kid));
  return {};
}

Status CheckSignatures(const EnvelopeView& envelope, const KeyTable& keys) {
  BoundedVec<KeyId, kMaxSignatures> seen;
  for (const SignatureBlock& block : envelope.signatures) {
    if (std::ranges::count(seen, block.kid) != 0) {
      return Fail(Reason::kMalformedManifest, "envelope: two signatures of one key (R2)");
    }
    seen.push_back(block.kid);
    PAWL_TRY(CheckSignature<kSuitDigestBytes>(block, Role::kImage, "", envelope.suit_digest, keys));
  }
  const std::uint8_t threshold = Threshold(keys, Role::kImage);
  if (seen.empty() || seen.size() < threshold) {
    return std::unexpected(NumberError(Reason::kInvalidSignature, "signatures:", seen.size(), ", needed: ", threshold));
  }
  return {};
}

Result<Permit> CheckPermit(ByteView cose_sign1, const KeyTable& keys) {
  PAWL_ASSIGN(const PermitView view, DecodePermitEnvelope(cose_sign1));
  PAWL_TRY(CheckSignature<kMaxPermitBytes>(view.signature, Role::kDirector, kPermitAad, view.payload, keys));
  return DecodePermit(view.payload);
}

}  // namespace

Result<VerifiedManifest> Verify(ByteView envelope, const KeyTable& keys) {
  PAWL_ASSIGN(const EnvelopeView view, DecodeEnvelope(envelope));
  PAWL_TRY(CheckSignatures(view, keys));
  if (crypto::Hash(view.manifest_bstr) != view.digest) return Fail(Reason::kDigestMismatch);
  PAWL_ASSIGN(const Manifest manifest, DecodeManifest(view.manifest));
  return VerifiedManifest(manifest, view.digest);
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
  const std::uint64_t room = target.slot_bytes - std::min(target.slot_bytes, kTrailerBytes);
  if (manifest.image_bytes > room) {
    return std::unexpected(NumberError(Reason::kImageTooLarge, "image bytes", manifest.image_bytes, " of ", room));
  }
  return BootableManifest(manifest, verified.digest());
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
  return InstallableManifest(manifest, bootable.digest());
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
