// The device's key and certificate, and the server CAs that it trusts: read from files, checked against the ROM.
//
// Files   data/device.key (PEM, 0600), data/device.pem, data/ca.pem. While a renewal is taken over,
// data/device.next.pem
//         holds key and certificate together and wins, so that the change is one rename.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/io/config.h"
#include "base/bytes.h"
#include "trust/verify/key_table.h"

namespace pawl::agent {

// A P-256 private key. Copies share it.
class PrivateKey {
 public:
  // Errors: tls error (OpenSSL's).
  static Result<PrivateKey> Generate();
  static Result<PrivateKey> FromPem(std::string_view pem);
  // The one in this file, made first if there is none: an answer that was lost is asked for again with the same key.
  static Result<PrivateKey> LoadOrGenerate(const std::string& path);

  std::string Pem() const;  // a secret
  PublicKey public_key() const;
  // A PKCS #10 request for this name, in PEM.
  Result<std::string> Csr(const std::string& common_name) const;
  void* native() const { return key_.get(); }  // EVP_PKEY

 private:
  explicit PrivateKey(std::shared_ptr<void> key) : key_(std::move(key)) {}
  std::shared_ptr<void> key_;
};

struct CertificateFacts {
  std::string common_name;
  PublicKey public_key{};
  std::uint64_t not_before = 0;  // seconds since 1970
  std::uint64_t not_after = 0;
};
// Of the first certificate in this PEM text. Errors: malformed.
Result<CertificateFacts> ReadCertificate(std::string_view pem);

struct DeviceIdentity {
  PrivateKey key;
  std::string certificate;  // PEM
  CertificateFacts facts;
  const std::string& id() const { return facts.common_name; }
};
// Errors: not found (with what to do: enrol), malformed, invalid argument (key and certificate do not belong together).
Result<DeviceIdentity> LoadIdentity(const Config& config);
// Takes over a renewed key and certificate, for good.
Status StoreRenewed(const Config& config, const DeviceIdentity& renewed);

// The server CAs of a PEM text that the anchors list as roots of TLS. At least one.
struct PinnedCas {
  std::vector<std::string> pems;
  std::uint64_t not_after = 0;  // the latest of them
};
// Errors: malformed, tls error (none of them is pinned).
Result<PinnedCas> PinCas(std::string_view pem, const KeyTable& anchors);
Result<PinnedCas> LoadPinnedCas(const Config& config, const KeyTable& anchors);

Result<KeyTable> LoadAnchors(const Config& config);
Result<RomIdentity> LoadRomIdentity(const Config& config);

}  // namespace pawl::agent
