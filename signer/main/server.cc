#include "signer/main/server.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "trust/sign/frame.h"
#include "trust/sign/protocol.h"

namespace pawl::sign {
namespace {

// Counts the threads that serve. Shared with them: one that hangs in the HSM may outlive Run.
class Crowd {
 public:
  bool Enter() {
    const std::scoped_lock lock(mutex_);
    if (inside_ == kMaxConnections) return false;
    ++inside_;
    return true;
  }
  void Leave() {
    const std::scoped_lock lock(mutex_);
    --inside_;
    left_.notify_all();
  }
  bool WaitUntilEmpty(std::chrono::seconds limit) {
    std::unique_lock lock(mutex_);
    return left_.wait_for(lock, limit, [this] { return inside_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable left_;
  std::size_t inside_ = 0;
};

Deadline In(std::chrono::seconds time) { return std::chrono::steady_clock::now() + time; }

Status Tell(int socket, Reason reason, std::string_view detail) {
  return WriteFrame(socket, EncodeAnswer(Result<Answer>(Fail(reason, detail))), In(kWriteTime));
}

// Until the peer leaves, breaks the framing, idles too long or the signer stops: then the socket closes.
void Serve(int socket, const Server::Handler& handler, int stop_fd) {
  for (;;) {
    const auto request = ReadFrame(socket, In(kIdleTime), stop_fd);
    if (!request && request.error().reason == Reason::kTooLarge) {
      (void)Tell(socket, Reason::kTooLarge, request.error().detail);  // the peer may be gone: no matter
    }
    if (!request) return;
    if (!WriteFrame(socket, handler(*request), In(kWriteTime))) return;
  }
}

Result<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Fail(Reason::kInvalidArgument, "a socket's path must have 1..107 bytes: " + path);
  }
  std::ranges::copy(path, address.sun_path);
  return address;
}

// A socket that nobody answers was left behind by a signer that was killed.
Status RemoveLeftover(const std::string& path) {
  struct stat facts{};
  if (lstat(path.c_str(), &facts) != 0) return {};
  if (!S_ISSOCK(facts.st_mode)) return Fail(Reason::kConflict, path + " exists and is no socket");
  if (ConnectUnix(path, In(std::chrono::seconds(1))))
    return Fail(Reason::kConflict, "another signer answers at " + path);
  if (unlink(path.c_str()) != 0) return FileError("remove", path);
  return {};
}

}  // namespace

Result<Server> Server::Listen(const std::string& path, std::vector<uid_t> allowed_users) {
  PAWL_ASSIGN(const sockaddr_un address, AddressOf(path));
  PAWL_TRY(RemoveLeftover(path));
  OwnedFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener) return FailErrno("make a socket");
  const mode_t before = umask(allowed_users.empty() ? 0177 : 0111);
  const bool bound = bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  umask(before);
  if (!bound) return FileError("bind", path);
  if (listen(listener.get(), 128) != 0) return FileError("listen at", path);
  allowed_users.push_back(geteuid());
  return Server(std::move(listener), path, std::move(allowed_users));
}

Server::~Server() {
  if (listener_) unlink(path_.c_str());
}

bool Server::IsAllowed(int socket) const {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && std::ranges::count(allowed_, peer.uid) != 0;
}

Status Server::Run(const Handler& handler, int stop_fd) {
  const auto crowd = std::make_shared<Crowd>();
  const auto shared_handler = std::make_shared<Handler>(handler);
  for (;;) {
    std::array<pollfd, 2> watched{{{listener_.get(), POLLIN, 0}, {stop_fd, POLLIN, 0}}};
    if (poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return FailErrno("wait for connections");
    if (watched[1].revents != 0) break;
    OwnedFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) continue;  // gone again, or out of files: the next one may fare better
    if (!IsAllowed(socket.get())) {
      (void)Tell(socket.get(), Reason::kForbidden, "this user may not use the signer");
    } else if (!crowd->Enter()) {
      (void)Tell(socket.get(), Reason::kUnavailable, "the signer serves as many connections as it can");
    } else {
      std::thread([crowd, shared_handler, stop_fd, own = std::move(socket)] {
        Serve(own.get(), *shared_handler, stop_fd);
        crowd->Leave();
      }).detach();
    }
  }
  if (crowd->WaitUntilEmpty(kStopTime)) return {};
  return Fail(Reason::kTimeout, "a request did not end, it may hang in the HSM");
}

}  // namespace pawl::sign
