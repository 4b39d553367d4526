// The signer's operations: what a request may have, and doing it.
//
// Threads  Perform: any.
// Errors   client.h names them. HSM away: unavailable or hsm error; the next call tries anew.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "trust/sign/anchors_file.h"
#include "trust/sign/certificates.h"
#include "trust/sign/hsm.h"
#include "trust/sign/operations_log.h"
#include "trust/sign/protocol.h"

namespace pawl::sign {

struct ServiceSettings {
  std::string folder;  // the signer's own: created with mode 0700
  HsmSettings hsm;
  bool own_token = true;     // the SoftHSM token in `folder`, made on the first start
  std::string artifacts;     // the root of stored artifacts
  std::string offline_keys;  // folder for the keys made on the first start
  std::string anchors;       // the file
  ServerNames server_names;  // what the server CA may certify besides loopback
};

class Service {
 public:
  // Makes on the first start what is missing. An HSM that is away is no error here: see problem().
  // Precondition: no thread has started yet. Errors: conflict, not found, i/o error, ...: what a person must mend.
  static Result<std::unique_ptr<Service>> Start(ServiceSettings settings);

  Result<Answer> Perform(const Request& request);

  // Why the HSM was not ready at the start; empty if it was.
  const std::string& problem() const { return problem_; }

 private:
  // What is known once the HSM has answered.
  struct Ready {
    PerUse<PublicKey> keys;
    std::vector<std::uint8_t> anchors;
    CaCertificates cas;
  };

  Service(ServiceSettings settings, OwnedFd lock, std::unique_ptr<OperationsLog> log)
      : settings_(std::move(settings)), lock_(std::move(lock)), log_(std::move(log)), hsm_(settings_.hsm) {}

  Result<const Ready*> EnsureReady();
  Result<Ready> Prepare();
  Result<std::string> EnsureServerCa(const PublicKey& key);
  Result<std::string> EnsureDeviceCa(const PublicKey& key);
  Result<std::string> StoreCa(const std::string& path, const Result<Certificate>& made);

  Result<Answer> Do(const StatusRequest&);
  Result<Answer> Do(const CaCertificatesRequest&);
  Result<Answer> Do(const ManifestRequest& request);
  Result<Answer> Do(const PermitRequest& request);
  Result<Answer> Do(const DeviceCertificateFacts& facts);
  Result<Answer> Do(const ServerCertificateFacts& facts);

  const ServiceSettings settings_;
  const OwnedFd lock_;  // one signer for each folder
  const std::unique_ptr<OperationsLog> log_;
  Hsm hsm_;
  std::string problem_;
  std::timed_mutex ready_mutex_;
  std::optional<Ready> ready_;  // never changes once set
};

}  // namespace pawl::sign
