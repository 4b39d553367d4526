// Keys in memory: only for tests, the simulator and test devices' factory. Never linked into pawl-signer or pawld.
//
// Signatures are deterministic (RFC 6979), so what these keys sign can be compared byte by byte.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "trust/sign/signing.h"

namespace pawl::sign {

class SoftKey final : public SigningKey {
 public:
  // The private key is SHA-256 of the seed.
  explicit SoftKey(std::string_view seed);
  // A PEM private key. Errors: not found, malformed (no P-256 private key).
  static Result<SoftKey> FromPem(const std::string& path);

  const PublicKey& public_key() const override { return public_key_; }
  KeyId kid() const override { return claimed_kid_ ? *claimed_kid_ : SigningKey::kid(); }
  Result<Signature> Sign(const Digest& digest) override;

  // For attacks: signatures claim to be another key's.
  void ClaimKid(const KeyId& kid) { claimed_kid_ = kid; }
  std::string PrivatePem() const;  // PKCS#8

 private:
  explicit SoftKey(const Digest& scalar);

  Digest private_key_{};  // 32 bytes, big endian
  PublicKey public_key_{};
  std::optional<KeyId> claimed_kid_;
};

}  // namespace pawl::sign
