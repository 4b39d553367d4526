// P-256 keys as PEM, for keys that live in files: offline keys, and tests.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace pawl::sign {

// PKCS#8, without a password. Precondition: the halves belong together.
std::string PrivateKeyPem(const Digest& scalar, const PublicKey& public_key);
// A new random key as PKCS#8.
std::string NewPrivateKeyPem();

// Errors: malformed (no P-256 key of that kind).
Result<Digest> PrivateScalarOfPem(std::string_view pem);
Result<PublicKey> PublicKeyOfPem(std::string_view pem);  // of a private key's PEM, a public key's or a certificate's

}  // namespace pawl::sign
