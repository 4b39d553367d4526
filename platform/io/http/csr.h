// Certificate signing requests: what an enrolling device sends.
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace pawl::http {

inline constexpr std::size_t kMaxCsrBytes = 3500;

// The P-256 public key of a PKCS #10 request in PEM whose self-signature holds. Everything else in it is ignored.
// Errors: malformed, too large, invalid argument (another kind of key), invalid signature.
Result<PublicKey> PublicKeyOfCsr(std::string_view pem);

}  // namespace pawl::http
