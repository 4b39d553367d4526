// The release worker: has releases that wait for their signature signed, checks the result, publishes or refuses.
//
// What comes back from the signer is published only after it verified under the class's anchors and says exactly what
// the release says: a wrong key or a wrong fact is refused, never published. While the HSM does not answer, releases
// stay and say so; the worker tries again by itself.
//
// Threads   one of its own; Wake may be called from any thread, the database's writer too.
// Lifetime  database and store outlive the worker.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "platform/io/data/classes.h"
#include "platform/io/data/database.h"
#include "platform/io/data/releases.h"
#include "platform/io/store/artifact_store.h"
#include "trust/sign/client.h"

namespace pawl {

// SignerClient::SignManifest in pawld.
using ManifestSigner = std::function<Result<SignedManifest>(const ReleaseFacts&, const StoredArtifact&)>;

struct ReleaseWorkerConfig {
  std::string artifact_root;  // what the signer's artifact paths are relative to
  std::chrono::milliseconds retry_min{500};
  std::chrono::milliseconds retry_max{5000};
};

class ReleaseWorker {
 public:
  using Log = std::function<void(std::string_view line)>;
  ReleaseWorker(ReleaseWorkerConfig config, data::Database& database, const store::ArtifactStore& store,
                ManifestSigner signer, Log log);
  ~ReleaseWorker();  // Stop()
  ReleaseWorker(const ReleaseWorker&) = delete;
  ReleaseWorker& operator=(const ReleaseWorker&) = delete;

  void Start();
  void Wake();  // something was committed
  void Stop();

 private:
  void Run(const std::stop_token& stop);
  bool SignAll(const std::stop_token& stop);
  bool SignOne(const data::Release& release);
  bool Settle(const data::Release& release, const Error& error);
  Result<data::SignedManifest> Sign(const data::Release& release);

  const ReleaseWorkerConfig config_;
  data::Database& database_;
  const store::ArtifactStore& store_;
  const ManifestSigner signer_;
  const Log log_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool woken_ = true;
  std::jthread thread_;
};

// The facts that the signer is given for a release of this class.
Result<ReleaseFacts> FactsOf(const data::Release& release, const data::Class& cls);

// Does the envelope verify under the class's anchors, and say exactly what the release says?
// Errors: those of trust/verify; corrupt, if a fact differs.
Result<data::SignedManifest> CheckSigned(const SignedManifest& signed_manifest, const data::Release& release,
                                         const data::Class& cls);

}  // namespace pawl
