// The signer's Unix socket: who may speak, how many at once, for how long.
//
// Access   the peer's user must be this process's own or an allowed one (SO_PEERCRED). Mode 0600 if none is allowed.
// Limits   kMaxConnections at once, the rest are told "unavailable"; kMaxFrameBytes a request; kIdleTime between
// requests.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hosted/files.h"
#include "base/result.h"

namespace pawl::sign {

inline constexpr std::size_t kMaxConnections = 64;
inline constexpr std::chrono::seconds kIdleTime{60};
inline constexpr std::chrono::seconds kWriteTime{5};
inline constexpr std::chrono::seconds kStopTime{10};  // for requests under way when asked to stop

class Server {
 public:
  // Answers one request. Called from many threads.
  using Handler = std::function<std::string(std::string_view request)>;

  // Errors: conflict (another signer answers there), i/o error.
  static Result<Server> Listen(const std::string& path, std::vector<uid_t> allowed_users);
  Server(Server&&) = default;
  Server& operator=(Server&&) = default;
  ~Server();  // removes the socket

  // Serves until `stop_fd` is readable, then lets requests under way end. Errors: i/o error; timeout (one did not end).
  Status Run(const Handler& handler, int stop_fd);

 private:
  Server(OwnedFd listener, std::string path, std::vector<uid_t> allowed)
      : listener_(std::move(listener)), path_(std::move(path)), allowed_(std::move(allowed)) {}

  bool IsAllowed(int socket) const;

  OwnedFd listener_;
  std::string path_;
  std::vector<uid_t> allowed_;
};

}  // namespace pawl::sign
