// The crypto port on BearSSL: no heap, no operating system. For bare metal.
#include <bearssl.h>

#include <new>
#include <type_traits>

#include "trust/crypto/crypto.h"
#include "trust/crypto/p256.h"

namespace pawl::crypto {

static_assert(sizeof(br_sha256_context) <= 160 && std::is_trivially_copyable_v<br_sha256_context>);

Sha256::Sha256() { br_sha256_init(new (state_.data()) br_sha256_context); }

void Sha256::Update(ByteView bytes) {
  br_sha256_update(std::launder(reinterpret_cast<br_sha256_context*>(state_.data())), bytes.data(), bytes.size());
}

Digest Sha256::Finish() {
  Digest digest;
  br_sha256_out(std::launder(reinterpret_cast<br_sha256_context*>(state_.data())), digest.data());
  return digest;
}

// The curve code for any prime is 3.7 KiB smaller on a Cortex-M4 than BearSSL's own for P-256, and some milliseconds
// slower: a bootloader does this once or twice. BearSSL refuses a point that is not on the curve, and any form but the
// uncompressed one.
bool VerifyP256(const PublicKey& key, const Digest& digest, const Signature& signature) {
  if (!IsP256Scalar(ByteView(signature).first(32)) || !IsP256Scalar(ByteView(signature).last(32))) return false;
  PublicKey point = key;  // the interface takes it without const
  const br_ec_public_key loaded{.curve = BR_EC_secp256r1, .q = point.data(), .qlen = point.size()};
  return br_ecdsa_i31_vrfy_raw(&br_ec_prime_i31, digest.data(), digest.size(), &loaded, signature.data(),
                               signature.size()) == 1;
}

}  // namespace pawl::crypto
