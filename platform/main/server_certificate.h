// The platform's own TLS key and certificate: server.key, server.pem.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "trust/sign/client.h"

namespace pawl::platform {

struct ServerCertificateConfig {
  std::string key;          // file, mode 0600
  std::string certificate;  // file: the certificate, then the server CA's
  std::vector<std::string> dns_names;
  std::vector<std::string> addresses;
  std::uint64_t life_s = 365 * 86400;
};

// Issues a certificate with the server CA: SignerClient::IssueServerCertificate.
using ServerCertificateIssuer = std::function<Result<Certificate>(const ServerCertificateFacts&)>;

// Why a new certificate is needed now: there is none, it does not belong to the key, it is not signed by this CA, lacks
// a name, or two thirds of its life are over. Empty: it is good.
std::string WhyNewCertificate(const ServerCertificateConfig& config, const std::string& ca_pem, std::int64_t now_s);
// True if the certificate that is there can still be served (it may be due for renewal).
bool IsUsable(const ServerCertificateConfig& config, const std::string& ca_pem, std::int64_t now_s);

// Makes the key if there is none, then has a certificate issued and puts it in place.
// Errors: the issuer's; i/o error; tls error.
Status NewCertificate(const ServerCertificateConfig& config, const std::string& ca_pem, std::int64_t now_s,
                      const ServerCertificateIssuer& issue);

}  // namespace pawl::platform
