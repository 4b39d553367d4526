#include "trust/sign/client.h"

#include <utility>

#include "base/hosted/files.h"
#include "trust/sign/frame.h"
#include "trust/sign/protocol.h"

namespace pawl {
namespace {

constexpr std::uint64_t kHashBytesPerMs = 16 * 1024;  // hashing on a slow disk

template <class Expected>
Result<Expected> Ask(const std::string& socket_path, const sign::Request& request, std::chrono::milliseconds deadline) {
  const sign::Deadline until = std::chrono::steady_clock::now() + deadline;
  PAWL_ASSIGN(const OwnedFd socket, sign::ConnectUnix(socket_path, until));
  const Status sent = sign::WriteFrame(socket.get(), sign::EncodeRequest(request), until);
  const auto json = sign::ReadFrame(socket.get(), until);
  // A signer that refuses the connection says why and closes without reading.
  if (!json) return std::unexpected(sent ? json.error() : sent.error());
  PAWL_ASSIGN(sign::Answer answer, sign::DecodeAnswer(*json));
  Expected* expected = std::get_if<Expected>(&answer);
  if (expected == nullptr) return Fail(Reason::kMalformed, "signer protocol: the answer to another question");
  return std::move(*expected);
}

}  // namespace

Result<SignerStatus> SignerClient::Status() const {
  return Ask<SignerStatus>(socket_path_, sign::StatusRequest{}, deadline_);
}

Result<CaCertificates> SignerClient::GetCaCertificates() const {
  return Ask<CaCertificates>(socket_path_, sign::CaCertificatesRequest{}, deadline_);
}

Result<SignedManifest> SignerClient::SignManifest(const ReleaseFacts& facts, const StoredArtifact& artifact) const {
  const std::chrono::milliseconds hashing(artifact.bytes / kHashBytesPerMs);
  return Ask<SignedManifest>(socket_path_, sign::ManifestRequest{facts, artifact}, deadline_ + hashing);
}

Result<std::vector<std::uint8_t>> SignerClient::SignPermit(const Permit& permit) const {
  PAWL_ASSIGN(sign::SignedPermit signed_permit,
              Ask<sign::SignedPermit>(socket_path_, sign::PermitRequest{permit}, deadline_));
  return std::move(signed_permit.cose_sign1);
}

Result<Certificate> SignerClient::IssueDeviceCertificate(const DeviceCertificateFacts& facts) const {
  return Ask<Certificate>(socket_path_, facts, deadline_);
}

Result<Certificate> SignerClient::IssueServerCertificate(const ServerCertificateFacts& facts) const {
  return Ask<Certificate>(socket_path_, facts, deadline_);
}

}  // namespace pawl
