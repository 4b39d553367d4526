// X.509 certificates of pawl's two authorities: the server CA and the device CA. Both P-256 with SHA-256.
//
// Errors  invalid argument (a name, address, key or date); forbidden (the CA's name constraints); those of the key.
// Source  docs/spec/signer.md, RFC 5280.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "trust/sign/client.h"
#include "trust/sign/signing.h"

namespace pawl::sign {

inline constexpr std::size_t kMaxServerNames = 32;

// Names of servers: DNS names or IP addresses, as text.
using ServerNames = std::vector<std::string>;

// Self-signed, path length 0, EKU serverAuth; may certify only "localhost", loopback addresses and these names.
Result<Certificate> MakeServerCa(SigningKey& key, const ServerNames& permitted, std::uint64_t now_s);
// True if the certificate permits exactly these names, besides loopback.
Result<bool> PermitsExactly(std::string_view server_ca_pem, const ServerNames& permitted);

// Self-signed, path length 0, EKU clientAuth. No name constraints: OpenSSL would take a device id with a dot in it for
// a DNS name and hold the constraint against it.
Result<Certificate> MakeDeviceCa(SigningKey& key, std::uint64_t now_s);

Result<Certificate> IssueDeviceCertificate(std::string_view ca_pem, SigningKey& ca_key,
                                           const DeviceCertificateFacts& facts);
Result<Certificate> IssueServerCertificate(std::string_view ca_pem, SigningKey& ca_key,
                                           const ServerCertificateFacts& facts);

}  // namespace pawl::sign
