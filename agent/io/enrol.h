// Enrolment and renewal of the device's certificate. Source: docs/spec/keys.md, "Enrolment".
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/io/http.h"
#include "agent/io/identity.h"

namespace pawl::agent {

struct EnrolOptions {
  std::string folder;      // the device's
  std::string claim_file;  // the token, alone or after the id
  std::string id;          // empty: the claim file's, or its name without ".claim"
  std::string url;         // https://host:port of the platform's device listener
  std::string ca_file;     // empty: data/ca.pem is there already
};

// Pins the CA by the ROM's anchors, makes the key, asks for the certificate, stores it. Safe to run again: the same key
// gets the same certificate. Returns the certificate's facts. Errors: tls error (the CA is not pinned, or the server is
// not its), forbidden, conflict, rate limited, unavailable, ...
Result<CertificateFacts> Enrol(const EnrolOptions& options);

struct Claim {
  std::string id;
  std::string token;
};
// "TOKEN" or "ID TOKEN", one line. Errors: malformed, invalid argument (no id anywhere).
Result<Claim> ParseClaim(std::string_view text, std::string_view file_name, std::string_view id);

// The certificate in the answer of /enrol/v1 and /device/v1/renew; or what the server said went wrong.
Result<std::string> ParseCertificateAnswer(int status, std::string_view body);

// Renews the certificate at two thirds of its life, with a new key, in the background.
class Renewal {
 public:
  // Lifetime: keeps `http` and `config`.
  Renewal(HttpClient& http, const Config& config) : http_(http), config_(config) {}
  ~Renewal();

  // Starts when it is due, goes on when an answer came. True: a new identity was stored; load it.
  bool Work(const DeviceIdentity& identity, std::uint64_t device_time_s, std::uint64_t now_ms);
  std::uint64_t next_ms() const { return next_ms_; }

 private:
  Status Ask(const DeviceIdentity& identity);
  Result<DeviceIdentity> Take(const DeviceIdentity& old);

  HttpClient& http_;
  const Config& config_;
  HttpClient::Id request_ = 0;
  SmallBody answer_;
  std::optional<PrivateKey> key_;
  std::size_t endpoint_ = 0;
  std::uint64_t next_ms_ = 0;
};

// When renewal is due: two thirds of the way from not_before to not_after.
std::uint64_t RenewalTime(const CertificateFacts& facts);

}  // namespace pawl::agent
