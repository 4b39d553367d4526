// The crypto port on BearSSL: no heap, no operating system. For bare metal.
#include <algorithm>
#include <new>
#include <type_traits>

#include "trust/crypto/bearssl/bearssl_p256.h"
#include "trust/crypto/crypto.h"

namespace pawl::crypto {

static_assert(sizeof(br_sha256_context) <= 160 && std::is_trivially_copyable_v<br_sha256_context>);

Sha256::Sha256() { pawl_sha256_init(new (state_.data()) br_sha256_context); }

void Sha256::Update(ByteView bytes) {
  pawl_sha256_update(std::launder(reinterpret_cast<br_sha256_context*>(state_.data())), bytes.data(), bytes.size());
}

Digest Sha256::Finish() {
  Digest digest;
  pawl_sha256_out(std::launder(reinterpret_cast<br_sha256_context*>(state_.data())), digest.data());
  return digest;
}

// BearSSL refuses r and s from n on, and s = 0.
bool VerifyP256(const PublicKey& key, const Digest& digest, const Signature& signature) {
  const bool r_is_zero =
      std::ranges::all_of(ByteView(signature).first(32), [](std::uint8_t byte) { return byte == 0; });
  return !r_is_zero && pawl_p256_verify(key.data(), digest.data(), signature.data()) == 1;
}

}  // namespace pawl::crypto
