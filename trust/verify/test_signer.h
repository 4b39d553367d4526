// Keys made from a name, and what they sign. For tests only: anyone can make these keys.
#pragma once

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include <memory>
#include <string>
#include <vector>

#include "base/assert.h"
#include "trust/crypto/crypto.h"
#include "trust/manifest/manifest.h"
#include "trust/verify/key_table.h"

namespace pawl::test {

// The private half is SHA-256 of the name.
class TestKey {
 public:
  explicit TestKey(const std::string& name)
      : name_(name), key_(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1), &EC_KEY_free) {
    const Digest secret = crypto::Hash(AsBytes(name));
    const EC_GROUP* group = EC_KEY_get0_group(key_.get());
    BIGNUM* scalar = BN_bin2bn(secret.data(), static_cast<int>(secret.size()), nullptr);
    EC_POINT* point = EC_POINT_new(group);
    PAWL_ASSERT(EC_POINT_mul(group, point, scalar, nullptr, nullptr, nullptr) == 1);
    PAWL_ASSERT(EC_KEY_set_private_key(key_.get(), scalar) == 1 && EC_KEY_set_public_key(key_.get(), point) == 1);
    PAWL_ASSERT(EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, public_key_.data(), public_key_.size(),
                                   nullptr) == public_key_.size());
    EC_POINT_free(point);
    BN_free(scalar);
    kid_ = crypto::KeyIdOf(public_key_);
  }

  const KeyId& kid() const { return kid_; }
  const PublicKey& public_key() const { return public_key_; }
  Key Entry(std::uint8_t roles) const { return {.kid = kid_, .public_key = public_key_, .roles = roles}; }
  Key Entry(Role role) const { return Entry(static_cast<std::uint8_t>(role)); }

  Signature Sign(ByteView bytes) const {
    const Digest digest = crypto::Hash(bytes);
    ECDSA_SIG* parts = SignDigest(digest);
    PAWL_ASSERT(parts != nullptr);
    Signature signature{};
    BN_bn2binpad(ECDSA_SIG_get0_r(parts), signature.data(), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(parts), signature.data() + 32, 32);
    ECDSA_SIG_free(parts);
    return signature;
  }

  // Over the payload as a COSE_Sign1 of this key: for the envelope the encoded SUIT_Digest, no aad.
  SignatureBlock SignBlock(ByteView payload, std::string_view aad = "") const {
    std::vector<std::uint8_t> structure(payload.size() + aad.size() + kSigStructureOverhead);
    const std::size_t size = WriteSigStructure(kid_, AsBytes(aad), payload, structure);
    return {.kid = kid_, .signature = Sign(ByteView(structure).first(size))};
  }

 private:
  // With a nonce made from name and digest: the same signature each time, so that a test sees the same bytes.
  ECDSA_SIG* SignDigest(const Digest& digest) const {
    const EC_GROUP* group = EC_KEY_get0_group(key_.get());
    const BIGNUM* order = EC_GROUP_get0_order(group);
    crypto::Sha256 hash;
    hash.Update(AsBytes(name_));
    hash.Update(digest);
    const Digest secret = hash.Finish();
    const std::unique_ptr<BN_CTX, decltype(&BN_CTX_free)> context(BN_CTX_new(), &BN_CTX_free);
    BIGNUM* nonce = BN_bin2bn(secret.data(), static_cast<int>(secret.size()), nullptr);
    BIGNUM* x = BN_new();
    EC_POINT* point = EC_POINT_new(group);
    PAWL_ASSERT(BN_nnmod(nonce, nonce, order, context.get()) == 1);
    PAWL_ASSERT(EC_POINT_mul(group, point, nonce, nullptr, nullptr, context.get()) == 1);
    PAWL_ASSERT(EC_POINT_get_affine_coordinates(group, point, x, nullptr, context.get()) == 1);
    PAWL_ASSERT(BN_nnmod(x, x, order, context.get()) == 1);
    PAWL_ASSERT(BN_mod_inverse(nonce, nonce, order, context.get()) != nullptr);
    ECDSA_SIG* parts = ECDSA_do_sign_ex(digest.data(), static_cast<int>(digest.size()), nonce, x, key_.get());
    EC_POINT_free(point);
    BN_free(x);
    BN_free(nonce);
    return parts;
  }

  std::string name_;
  std::unique_ptr<EC_KEY, decltype(&EC_KEY_free)> key_;
  PublicKey public_key_{};
  KeyId kid_{};
};

inline Digest ManifestDigest(ByteView manifest) {
  std::array<std::uint8_t, 9> head{};
  const std::size_t head_bytes = WriteBstrHeader(manifest.size(), head);
  crypto::Sha256 hash;
  hash.Update(ByteView(head).first(head_bytes));
  hash.Update(manifest);
  return hash.Finish();
}

// The envelope of these manifest bytes, whatever they are, signed by each of the keys.
inline std::vector<std::uint8_t> SignManifest(ByteView manifest, const std::vector<const TestKey*>& keys) {
  const Digest digest = ManifestDigest(manifest);
  std::vector<SignatureBlock> blocks;
  for (const TestKey* key : keys) blocks.push_back(key->SignBlock(EncodeSuitDigest(digest)));
  std::vector<std::uint8_t> envelope(kMaxEnvelopeBytes);
  envelope.resize(EncodeEnvelope(manifest, digest, blocks, envelope).value());
  return envelope;
}

inline std::vector<std::uint8_t> Encode(const Manifest& manifest) {
  std::vector<std::uint8_t> bytes(kMaxEnvelopeBytes);
  bytes.resize(EncodeManifest(manifest, bytes).value());
  return bytes;
}

}  // namespace pawl::test
