// The port for cryptography: SHA-256 and ECDSA P-256 verification. Freestanding.
// One implementation is chosen at link time: trust/crypto/openssl or trust/crypto/bearssl.
#pragma once

#include "base/bytes.h"

namespace pawl::crypto {

// SHA-256 (FIPS 180-4), incremental. No heap. Copyable: a copy goes on from the same point.
class Sha256 {
 public:
  Sha256();
  void Update(ByteView bytes);
  Digest Finish();  // may be called once; then the object is used up

 private:
  alignas(8) std::array<std::uint8_t, 160> state_;
};

Digest Hash(ByteView bytes);

// True only if the signature holds over the digest under the key (FIPS 186-4; r and s in [1, n-1]; the key a point on
// P-256). Total: any input gives an answer.
[[nodiscard]] bool VerifyP256(const PublicKey& key, const Digest& digest, const Signature& signature);

// First 8 bytes of SHA-256 over the 91-byte DER SubjectPublicKeyInfo of the key.
KeyId KeyIdOf(const PublicKey& key);
// SHA-256 over the same 91 bytes: what the registry pins.
Digest SpkiDigestOf(const PublicKey& key);

}  // namespace pawl::crypto
