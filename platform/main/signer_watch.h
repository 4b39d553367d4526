// Keeps an eye on the signer and its HSM: their state for /readyz and metrics, and the events hsm.down and hsm.up.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "platform/io/data/database.h"
#include "trust/sign/client.h"

namespace pawl::platform {

class SignerWatch {
 public:
  // `status` asks the signer.
  SignerWatch(data::Database& database, std::function<Result<SignerStatus>()> status,
              std::chrono::milliseconds period = std::chrono::seconds(2));
  ~SignerWatch();  // Stop()
  SignerWatch(const SignerWatch&) = delete;
  SignerWatch& operator=(const SignerWatch&) = delete;

  void Start();
  void Stop();

  struct State {
    bool ok = false;
    std::string text = "not asked yet";
    std::uint64_t operations = 0;
  };
  State state() const;

 private:
  void Run(const std::stop_token& stop);
  void Look();
  Status Tell(bool up, const std::string& text);

  data::Database& database_;
  const std::function<Result<SignerStatus>()> status_;
  const std::chrono::milliseconds period_;
  mutable std::mutex mutex_;
  std::condition_variable_any stopped_;
  State state_;
  std::optional<bool> told_;  // what the newest hsm event says
  std::jthread thread_;
};

}  // namespace pawl::platform
