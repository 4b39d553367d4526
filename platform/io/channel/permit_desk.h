// Permits wait here for the signer, which may block: a bounded queue and two workers.
//
// A device that asks again replaces its own waiting request: only the newest nonce is worth a signature. After the
// signer did not answer, requests are turned down at once for kRestS, so that a dead HSM does not pile up deadlines.
// Threads  Submit and Stop from any thread; the answers come from the workers.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "platform/io/data/reports.h"
#include "trust/manifest/manifest.h"

namespace pawl {

inline constexpr std::size_t kMaxPermitQueue = 4096;

// Signs a permit with the director key; may block for seconds. SignerClient::SignPermit in pawld.
using PermitSigner = std::function<Result<std::vector<std::uint8_t>>(const Permit&)>;

class PermitDesk {
 public:
  using Answer = std::function<void(const data::PermitFacts&, const Result<std::vector<std::uint8_t>>&)>;
  static constexpr std::chrono::seconds kRestS{1};

  PermitDesk(PermitSigner signer, Answer answer) : signer_(std::move(signer)), answer_(std::move(answer)) {}
  ~PermitDesk() { Stop(); }

  void Start();
  void Stop();  // what still waits is dropped: the devices ask again
  // False: the queue is full.
  bool Submit(data::PermitFacts facts);
  std::size_t waiting() const;

 private:
  static constexpr int kWorkers = 2;
  void Work(std::stop_token stop);
  Result<std::vector<std::uint8_t>> Sign(const data::PermitFacts& facts);

  PermitSigner signer_;
  Answer answer_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::string> order_;  // devices
  std::unordered_map<std::string, data::PermitFacts> waiting_;
  std::optional<Error> down_;
  std::chrono::steady_clock::time_point down_since_;
  std::vector<std::jthread> workers_;
};

}  // namespace pawl
