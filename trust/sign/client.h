// The platform's way to the signer: pawl-signer's typed operations over its Unix socket.
//
// There is no operation that signs a digest or bytes of the caller's choice (docs/spec/signer.md).
// Threads   every method may be called from any thread; each call has a connection of its own.
// Blocking  until the answer or the deadline: the one given to the constructor; SignManifest adds time for hashing.
// Errors    unavailable (the signer or the HSM does not answer now: try again later), timeout, hsm error (with the
// PKCS#11
//           call and code), invalid argument, forbidden, not found, image digest, i/o error; malformed (another
//           protocol).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "trust/manifest/manifest.h"
#include "trust/sign/names.h"

namespace pawl {

// What the platform states about a release. The signer adds what it measures itself: size, digests, chunk tree.
struct ReleaseFacts {
  std::string vendor;          // domain, 1..253 bytes of [a-z0-9.-]
  std::string class_name;      // 1..63 bytes of [A-Za-z0-9._-]
  std::uint64_t sequence = 0;  // 1..2^53-1
  Version version;
  std::uint64_t security_version = 0;         // < 2^32
  std::uint64_t min_board_revision = 0;       // < 2^32
  std::uint32_t trial_budget_s = 0;           // >= 1
  std::optional<std::uint64_t> use_before{};  // seconds since 1970
  std::optional<std::uint64_t> slot{};        // the image runs only in this slot: 0 A, 1 B
  std::optional<Digest> sbom{};
};

// The stored artifact. It is a raw image: payload and image are the same bytes.
struct StoredArtifact {
  std::string path;  // under the signer's artifact root, relative to it or beginning with it; no "..", no symbolic link
  Digest digest{};   // must be what the signer finds there
  std::uint64_t bytes = 0;
};

struct SignedManifest {
  std::vector<std::uint8_t> envelope;  // at most kMaxEnvelopeBytes
  Digest manifest_digest{};            // the SUIT_Digest
  KeyId kid{};
};

struct DeviceCertificateFacts {
  std::string device;  // becomes the CN: [a-z0-9][a-z0-9._-]{0,62}
  PublicKey public_key{};
  std::uint64_t not_before = 0;  // seconds since 1970
  std::uint64_t not_after = 0;   // at most kMaxDeviceCertificateLifeS later, and within the CA's life
};
inline constexpr std::uint64_t kMaxDeviceCertificateLifeS = std::uint64_t{10} * 366 * 86400;

struct ServerCertificateFacts {
  PublicKey public_key{};
  std::vector<std::string> dns_names;  // names and addresses: 1..32 in all, each allowed by the CA's name constraints
  std::vector<std::string> addresses;  // IPv4 or IPv6, as text
  std::uint64_t not_before = 0;        // seconds since 1970
  std::uint64_t not_after = 0;         // at most kMaxServerCertificateLifeS later
};
inline constexpr std::uint64_t kMaxServerCertificateLifeS = std::uint64_t{2} * 366 * 86400;

struct Certificate {
  std::string pem;
  std::vector<std::uint8_t> der;
};

struct CaCertificates {
  std::string server_ca_pem;
  std::string device_ca_pem;
};

struct SignerKey {
  std::string use;    // "image", "director", "device-ca", "server-ca"
  std::string label;  // in the HSM
  KeyId kid{};
  PublicKey public_key{};
};

struct SignerStatus {
  bool hsm_ready = false;
  std::string hsm_problem;  // why not ready: names the PKCS#11 call and its code
  std::string module;
  std::string token;
  std::vector<SignerKey> keys;
  std::vector<std::uint8_t> anchors;  // anchors.cbor, for device ROMs
  std::uint64_t operations = 0;       // private key uses that stand in the signer's operations log
  std::string version;
};

class SignerClient {
 public:
  explicit SignerClient(std::string socket_path, std::chrono::milliseconds deadline = std::chrono::seconds(5))
      : socket_path_(std::move(socket_path)), deadline_(deadline) {}

  // Answers as long as the signer runs, with or without its HSM.
  Result<SignerStatus> Status() const;
  Result<CaCertificates> GetCaCertificates() const;

  // The signer reads and hashes the artifact itself; the caller verifies the result with the anchors before it
  // publishes.
  Result<SignedManifest> SignManifest(const ReleaseFacts& facts, const StoredArtifact& artifact) const;
  // Returns the COSE_Sign1, at most kMaxPermitBytes.
  Result<std::vector<std::uint8_t>> SignPermit(const Permit& permit) const;
  Result<Certificate> IssueDeviceCertificate(const DeviceCertificateFacts& facts) const;
  Result<Certificate> IssueServerCertificate(const ServerCertificateFacts& facts) const;

 private:
  std::string socket_path_;
  std::chrono::milliseconds deadline_;
};

}  // namespace pawl
