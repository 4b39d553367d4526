#include "trust/sign/soft/soft_key.h"

#include <openssl/hmac.h>

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "base/assert.h"
#include "base/hosted/files.h"
#include "trust/crypto/crypto.h"
#include "trust/crypto/p256.h"
#include "trust/sign/openssl_types.h"
#include "trust/sign/pem.h"

namespace pawl::sign {
namespace {

Bn ToNumber(ByteView bytes) { return Bn(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)); }

Digest ToBytes(const BIGNUM* number) {
  Digest bytes;
  PAWL_ASSERT(BN_bn2binpad(number, bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size()));
  return bytes;
}

PublicKey TimesGenerator(const Digest& scalar) {
  const EcGroup group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  const EcPoint point(EC_POINT_new(group.get()));
  PublicKey key;
  PAWL_ASSERT(EC_POINT_mul(group.get(), point.get(), ToNumber(scalar).get(), nullptr, nullptr, nullptr) == 1);
  PAWL_ASSERT(EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED, key.data(), key.size(),
                                 nullptr) == key.size());
  return key;
}

Digest Hmac(const Digest& key, std::initializer_list<ByteView> parts) {
  std::vector<std::uint8_t> message;
  for (const ByteView part : parts) message.insert(message.end(), part.begin(), part.end());
  Digest mac;
  PAWL_ASSERT(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(), message.size(), mac.data(),
                   nullptr) != nullptr);
  return mac;
}

// RFC 6979, section 3.2. Precondition: the hash is already reduced modulo n.
Digest Nonce6979(const Digest& private_key, const Digest& reduced_hash) {
  static constexpr std::uint8_t kZero = 0;
  static constexpr std::uint8_t kOne = 1;
  Digest v;
  v.fill(1);
  Digest k{};
  k = Hmac(k, {v, ByteView(&kZero, 1), private_key, reduced_hash});
  v = Hmac(k, {v});
  k = Hmac(k, {v, ByteView(&kOne, 1), private_key, reduced_hash});
  v = Hmac(k, {v});
  for (;;) {
    v = Hmac(k, {v});
    if (crypto::IsP256Scalar(v)) return v;
    k = Hmac(k, {v, ByteView(&kZero, 1)});
    v = Hmac(k, {v});
  }
}

}  // namespace

SoftKey::SoftKey(const Digest& scalar) : private_key_(scalar), public_key_(TimesGenerator(scalar)) {}

SoftKey::SoftKey(std::string_view seed) : SoftKey(crypto::Hash(AsBytes(seed))) {
  PAWL_ASSERT(crypto::IsP256Scalar(private_key_));
}

Result<SoftKey> SoftKey::FromPem(const std::string& path) {
  PAWL_ASSIGN(const std::string pem, ReadFile(path));
  PAWL_ASSIGN(const Digest scalar, PrivateScalarOfPem(pem));
  return SoftKey(scalar);
}

std::string SoftKey::PrivatePem() const { return PrivateKeyPem(private_key_, public_key_); }

Result<Signature> SoftKey::Sign(const Digest& digest) {
  const BnCtx context(BN_CTX_new());
  const Bn order = ToNumber(crypto::kP256Order);
  const Bn hash(BN_new());
  PAWL_ASSERT(BN_nnmod(hash.get(), ToNumber(digest).get(), order.get(), context.get()) == 1);
  const Digest nonce = Nonce6979(private_key_, ToBytes(hash.get()));
  const PublicKey point = TimesGenerator(nonce);
  const Bn r(BN_new());
  PAWL_ASSERT(BN_nnmod(r.get(), ToNumber(ByteView(point).subspan(1, 32)).get(), order.get(), context.get()) == 1);
  // s = (hash + r * d) / k
  const Bn s(BN_new());
  const Bn inverse(BN_mod_inverse(nullptr, ToNumber(nonce).get(), order.get(), context.get()));
  PAWL_ASSERT(BN_mod_mul(s.get(), r.get(), ToNumber(private_key_).get(), order.get(), context.get()) == 1);
  PAWL_ASSERT(BN_mod_add(s.get(), s.get(), hash.get(), order.get(), context.get()) == 1);
  PAWL_ASSERT(BN_mod_mul(s.get(), s.get(), inverse.get(), order.get(), context.get()) == 1);
  Signature signature;
  std::ranges::copy(ToBytes(r.get()), signature.begin());
  std::ranges::copy(ToBytes(s.get()), signature.begin() + 32);
  return signature;
}

}  // namespace pawl::sign
