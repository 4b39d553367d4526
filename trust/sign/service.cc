#include "trust/sign/service.h"

#include <fcntl.h>

#include <ctime>

#include "base/text.h"
#include "base/version.h"
#include "trust/crypto/crypto.h"
#include "trust/sign/artifact.h"
#include "trust/sign/own_token.h"
#include "trust/sign/pem.h"
#include "trust/sign/release.h"
#include "trust/sign/signing.h"

namespace pawl::sign {
namespace {

std::string Hex(ByteView bytes) {
  std::string text(2 * bytes.size(), '\0');
  HexEncode(bytes, text);
  return text;
}

std::uint64_t NowS() { return static_cast<std::uint64_t>(std::time(nullptr)); }

std::string Joined(const ServerCertificateFacts& facts) {
  std::string joined;
  for (const auto* names : {&facts.dns_names, &facts.addresses}) {
    for (const std::string& name : *names) joined += (joined.empty() ? "" : ",") + name;
  }
  return joined;
}

// One signer for each folder.
Result<OwnedFd> LockFolder(const std::string& folder) {
  const std::string path = folder + "/lock";
  OwnedFd lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return FileError("open", path);
  PAWL_TRY(LockFile(lock, path, "another pawl-signer holds"));
  return lock;
}

// A person must mend these; all else may be mended by time.
bool IsFatal(Reason reason) { return reason != Reason::kUnavailable && reason != Reason::kHsm; }

}  // namespace

Result<std::unique_ptr<Service>> Service::Start(ServiceSettings settings) {
  PAWL_TRY(MakePrivateFolder(settings.folder));
  PAWL_ASSIGN(OwnedFd lock, LockFolder(settings.folder));
  const bool first_start = !AnchorsWereMade({settings.anchors, settings.offline_keys, settings.folder});
  if (settings.own_token) PAWL_TRY(EnsureOwnToken(settings.folder, settings.hsm, first_start));
  PAWL_ASSIGN(auto log, OperationsLog::Open(settings.folder + "/operations.log"));
  auto service = std::unique_ptr<Service>(new Service(std::move(settings), std::move(lock), std::move(log)));
  const auto ready = service->EnsureReady();
  if (!ready && IsFatal(ready.error().reason)) return std::unexpected(ready.error());
  if (!ready) service->problem_ = ready.error().detail.view();
  return service;
}

Result<const Service::Ready*> Service::EnsureReady() {
  const std::unique_lock lock(ready_mutex_, kMaxHsmWait);
  if (!lock) return Fail(Reason::kUnavailable, "HSM: an earlier PKCS#11 call has not come back");
  if (!ready_) {
    PAWL_ASSIGN(ready_, Prepare());
  }
  return &*ready_;
}

Result<Service::Ready> Service::Prepare() {
  Ready ready;
  PAWL_ASSIGN(ready.keys, hsm_.Probe());
  PAWL_ASSIGN(ready.anchors, EnsureAnchors({settings_.anchors, settings_.offline_keys, settings_.folder}, ready.keys));
  PAWL_ASSIGN(ready.cas.server_ca_pem, EnsureServerCa(ready.keys.of(KeyUse::kServerCa)));
  PAWL_ASSIGN(ready.cas.device_ca_pem, EnsureDeviceCa(ready.keys.of(KeyUse::kDeviceCa)));
  return ready;
}

// The stored certificate, or nothing if there is none. Errors: conflict, if it is another key's.
static Result<std::string> StoredCa(const std::string& path, const PublicKey& key) {
  PAWL_ASSIGN(const std::string pem, ReadFile(path));
  PAWL_ASSIGN(const PublicKey certified, PublicKeyOfPem(pem));
  if (certified == key) return pem;
  return Fail(
      Reason::kConflict,
      path + " certifies another key than the HSM's. Bring back the token or the file that belongs to the other");
}

Result<std::string> Service::StoreCa(const std::string& path, const Result<Certificate>& made) {
  PAWL_TRY(made);
  PAWL_TRY(log_->Append("make_ca", "file=" + path + " sha256=" + Hex(crypto::Hash(made->der)),
                        OperationsLog::Durability::kPowerLoss));
  PAWL_TRY(WriteFileDurably(path, made->pem, 0644));
  return made->pem;
}

Result<std::string> Service::EnsureServerCa(const PublicKey& key) {
  const std::string path = settings_.folder + "/server-ca.pem";
  if (FileExists(path)) {
    PAWL_ASSIGN(std::string pem, StoredCa(path, key));
    PAWL_ASSIGN(const bool same_names, PermitsExactly(pem, settings_.server_names));
    if (same_names) return pem;
  }
  HsmKey ca_key(hsm_, KeyUse::kServerCa, key);
  return StoreCa(path, MakeServerCa(ca_key, settings_.server_names, NowS()));
}

Result<std::string> Service::EnsureDeviceCa(const PublicKey& key) {
  const std::string path = settings_.folder + "/device-ca.pem";
  if (FileExists(path)) return StoredCa(path, key);
  HsmKey ca_key(hsm_, KeyUse::kDeviceCa, key);
  return StoreCa(path, MakeDeviceCa(ca_key, NowS()));
}

Result<Answer> Service::Perform(const Request& request) {
  return std::visit([this](const auto& typed) { return Do(typed); }, request);
}

Result<Answer> Service::Do(const StatusRequest&) {
  SignerStatus status;
  status.module = settings_.hsm.module;
  status.token = settings_.hsm.token;
  status.operations = log_->count();
  status.version = kVersion;
  const auto ready = EnsureReady();
  const auto probed = ready ? hsm_.Probe() : std::unexpected(ready.error());
  status.hsm_ready = probed.has_value();
  if (!probed) status.hsm_problem = probed.error().detail.view();
  if (!ready) return status;
  for (const KeyUse use : kKeyUses) {
    const PublicKey& key = (*ready)->keys.of(use);
    status.keys.push_back(
        {kKeyUseNames[static_cast<std::size_t>(use)], settings_.hsm.labels.of(use), crypto::KeyIdOf(key), key});
  }
  status.anchors = (*ready)->anchors;
  return status;
}

Result<Answer> Service::Do(const CaCertificatesRequest&) {
  PAWL_ASSIGN(const Ready* ready, EnsureReady());
  return ready->cas;
}

Result<Answer> Service::Do(const ManifestRequest& request) {
  PAWL_TRY(CheckFacts(request.facts));
  PAWL_ASSIGN(const MeasuredArtifact measured, MeasureArtifact(settings_.artifacts, request.artifact.path));
  if (measured.digest != request.artifact.digest || measured.bytes != request.artifact.bytes) {
    return Fail(Reason::kCorrupt, "the stored artifact " + request.artifact.path +
                                      " is not the one to be signed: it has " + std::to_string(measured.bytes) +
                                      " bytes, SHA-256 " + Hex(measured.digest));
  }
  PAWL_ASSIGN(const Ready* ready, EnsureReady());
  HsmKey key(hsm_, KeyUse::kImage, ready->keys.of(KeyUse::kImage));
  PAWL_ASSIGN(SignedManifest made, SignManifest(ManifestOf(request.facts, measured), key));
  PAWL_TRY(log_->Append("sign_manifest",
                        "vendor=" + request.facts.vendor + " class=" + request.facts.class_name +
                            " sequence=" + std::to_string(request.facts.sequence) + " version=" +
                            std::string(ToText(request.facts.version).view()) + " artifact=" + Hex(measured.digest) +
                            " manifest=" + Hex(made.manifest_digest) + " kid=" + Hex(made.kid),
                        OperationsLog::Durability::kPowerLoss));
  return made;
}

Result<Answer> Service::Do(const PermitRequest& request) {
  const Permit& permit = request.permit;
  PAWL_TRY(CheckDeviceId(permit.device));
  PAWL_ASSIGN(const Ready* ready, EnsureReady());
  HsmKey key(hsm_, KeyUse::kDirector, ready->keys.of(KeyUse::kDirector));
  PAWL_ASSIGN(std::vector<std::uint8_t> made, SignPermit(permit, key));
  PAWL_TRY(log_->Append("sign_permit",
                        "device=" + std::string(permit.device.view()) + " job=" + std::to_string(permit.job) +
                            " manifest=" + Hex(permit.manifest_digest) + " nonce=" + Hex(permit.nonce) +
                            " kid=" + Hex(key.kid()),
                        OperationsLog::Durability::kProcessCrash));
  return SignedPermit{std::move(made)};
}

Result<Answer> Service::Do(const DeviceCertificateFacts& facts) {
  PAWL_ASSIGN(const Ready* ready, EnsureReady());
  HsmKey key(hsm_, KeyUse::kDeviceCa, ready->keys.of(KeyUse::kDeviceCa));
  PAWL_ASSIGN(Certificate made, IssueDeviceCertificate(ready->cas.device_ca_pem, key, facts));
  PAWL_TRY(log_->Append("issue_device_certificate",
                        "device=" + facts.device + " spki=" + Hex(crypto::SpkiDigestOf(facts.public_key)) +
                            " sha256=" + Hex(crypto::Hash(made.der)) + " kid=" + Hex(key.kid()),
                        OperationsLog::Durability::kPowerLoss));
  return made;
}

Result<Answer> Service::Do(const ServerCertificateFacts& facts) {
  PAWL_ASSIGN(const Ready* ready, EnsureReady());
  HsmKey key(hsm_, KeyUse::kServerCa, ready->keys.of(KeyUse::kServerCa));
  PAWL_ASSIGN(Certificate made, IssueServerCertificate(ready->cas.server_ca_pem, key, facts));
  PAWL_TRY(log_->Append("issue_server_certificate",
                        "names=" + Joined(facts) + " spki=" + Hex(crypto::SpkiDigestOf(facts.public_key)) +
                            " sha256=" + Hex(crypto::Hash(made.der)) + " kid=" + Hex(key.kid()),
                        OperationsLog::Durability::kPowerLoss));
  return made;
}

}  // namespace pawl::sign
