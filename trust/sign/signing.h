// Builds and signs manifests and permits with a key whose private half may be anywhere: HSM, or memory in tests.
//
// Every signature is checked with the public key before it is returned.
// Errors  those of the key; invalid argument (the profile does not allow a value); invalid signature (the self-check).
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "trust/manifest/manifest.h"
#include "trust/sign/client.h"

namespace pawl::sign {

// A P-256 key that signs.
class SigningKey {
 public:
  virtual ~SigningKey() = default;
  virtual const PublicKey& public_key() const = 0;
  virtual KeyId kid() const;  // the one that public_key() has
  // Raw ECDSA (CKM_ECDSA) over the digest. Errors: hsm error, unavailable.
  virtual Result<Signature> Sign(const Digest& digest) = 0;
};

// Signs the digest and checks the result with the public key. Errors: invalid signature, and those of Sign.
Result<Signature> SignChecked(SigningKey& key, const Digest& digest);

// The envelope of this manifest with one signature.
Result<SignedManifest> SignManifest(const Manifest& manifest, SigningKey& key);

// The COSE_Sign1 of this permit.
Result<std::vector<std::uint8_t>> SignPermit(const Permit& permit, SigningKey& key);

}  // namespace pawl::sign
