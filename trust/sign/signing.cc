#include "trust/sign/signing.h"

#include <array>

#include "trust/crypto/crypto.h"

namespace pawl::sign {
namespace {

// RFC 9052: the signature of {1: -9, 4: kid} over this payload.
Result<SignatureBlock> SignBlock(SigningKey& key, ByteView external_aad, ByteView payload) {
  std::vector<std::uint8_t> to_sign(kSigStructureOverhead + external_aad.size() + payload.size());
  const KeyId kid = key.kid();
  to_sign.resize(WriteSigStructure(kid, external_aad, payload, to_sign));
  PAWL_ASSIGN(const Signature signature, SignChecked(key, crypto::Hash(to_sign)));
  return SignatureBlock{kid, signature};
}

Digest ManifestDigest(ByteView manifest) {
  std::array<std::uint8_t, 9> header{};
  const std::size_t header_bytes = WriteBstrHeader(manifest.size(), header);
  crypto::Sha256 hash;
  hash.Update(ByteView(header).first(header_bytes));
  hash.Update(manifest);
  return hash.Finish();
}

}  // namespace

KeyId SigningKey::kid() const { return crypto::KeyIdOf(public_key()); }

Result<Signature> SignChecked(SigningKey& key, const Digest& digest) {
  PAWL_ASSIGN(const Signature signature, key.Sign(digest));
  if (!crypto::VerifyP256(key.public_key(), digest, signature)) {
    return Fail(Reason::kInvalidSignature, "the signature just made does not hold under the key's public half");
  }
  return signature;
}

Result<SignedManifest> SignManifest(const Manifest& manifest, SigningKey& key) {
  std::vector<std::uint8_t> encoded(kMaxEnvelopeBytes);
  PAWL_ASSIGN(const std::size_t manifest_bytes, EncodeManifest(manifest, encoded));
  encoded.resize(manifest_bytes);
  SignedManifest result;
  result.manifest_digest = ManifestDigest(encoded);
  PAWL_ASSIGN(const SignatureBlock block, SignBlock(key, {}, EncodeSuitDigest(result.manifest_digest)));
  result.kid = block.kid;
  result.envelope.resize(kMaxEnvelopeBytes);
  PAWL_ASSIGN(const std::size_t envelope_bytes,
              EncodeEnvelope(encoded, result.manifest_digest, std::span(&block, 1), result.envelope));
  result.envelope.resize(envelope_bytes);
  return result;
}

Result<std::vector<std::uint8_t>> SignPermit(const Permit& permit, SigningKey& key) {
  std::vector<std::uint8_t> payload(kMaxPermitBytes);
  PAWL_ASSIGN(const std::size_t payload_bytes, EncodePermit(permit, payload));
  payload.resize(payload_bytes);
  PAWL_ASSIGN(const SignatureBlock block, SignBlock(key, AsBytes(kPermitAad), payload));
  std::vector<std::uint8_t> permit_bytes(kMaxPermitBytes);
  PAWL_ASSIGN(const std::size_t size, EncodePermitEnvelope(payload, block, permit_bytes));
  permit_bytes.resize(size);
  return permit_bytes;
}

}  // namespace pawl::sign
