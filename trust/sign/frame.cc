#include "trust/sign/frame.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "base/hosted/files.h"

namespace pawl::sign {
namespace {

// Waits until the socket is ready for the event. Errors: timeout, unavailable (asked to stop), i/o error.
Status Wait(int socket, short event, Deadline deadline, int stop_fd) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return Fail(Reason::kTimeout, "no answer on the signer's socket in time");
    std::array<pollfd, 2> watched{{{socket, event, 0}, {stop_fd, POLLIN, 0}}};
    const int ready =
        poll(watched.data(), watched.size(), static_cast<int>(std::min<std::int64_t>(left.count(), 60000)));
    if (ready < 0 && errno != EINTR) return FailErrno("wait for the signer's socket");
    if (ready > 0 && watched[1].revents != 0) return Fail(Reason::kUnavailable, "stopping");
    if (ready > 0) return {};
  }
}

std::unexpected<Error> FailSocket(std::string_view what) {
  return FailErrno(what, errno == ECONNRESET || errno == EPIPE ? Reason::kUnavailable : Reason::kIo);
}

bool WouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

Status ReadExactly(int socket, MutableBytes to, Deadline deadline, int stop_fd) {
  while (!to.empty()) {
    PAWL_TRY(Wait(socket, POLLIN, deadline, stop_fd));
    const ssize_t got = recv(socket, to.data(), to.size(), 0);
    if (got == 0) return Fail(Reason::kUnavailable, "the other side closed the signer's socket");
    if (got < 0 && !WouldBlock()) return FailSocket("read from the signer's socket");
    if (got > 0) to = to.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

Status WriteExactly(int socket, ByteView from, Deadline deadline) {
  while (!from.empty()) {
    PAWL_TRY(Wait(socket, POLLOUT, deadline, -1));
    const ssize_t sent = send(socket, from.data(), from.size(), MSG_NOSIGNAL);
    if (sent < 0 && !WouldBlock()) return FailSocket("write to the signer's socket");
    if (sent > 0) from = from.subspan(static_cast<std::size_t>(sent));
  }
  return {};
}

}  // namespace

Result<std::string> ReadFrame(int socket, Deadline deadline, int stop_fd) {
  std::array<std::uint8_t, 4> header{};
  PAWL_TRY(ReadExactly(socket, header, deadline, stop_fd));
  const std::uint32_t size = LoadBe<std::uint32_t>(header);
  if (size > kMaxFrameBytes) return Fail(Reason::kTooLarge, "a frame over 64 KiB on the signer's socket");
  std::string content(size, '\0');
  PAWL_TRY(ReadExactly(socket, {reinterpret_cast<std::uint8_t*>(content.data()), size}, deadline, stop_fd));
  return content;
}

Status WriteFrame(int socket, std::string_view content, Deadline deadline) {
  if (content.size() > kMaxFrameBytes) return Fail(Reason::kTooLarge, "a frame over 64 KiB for the signer's socket");
  std::string frame(4, '\0');
  StoreBe<std::uint32_t>({reinterpret_cast<std::uint8_t*>(frame.data()), 4},
                         static_cast<std::uint32_t>(content.size()));
  frame += content;
  return WriteExactly(socket, AsBytes(frame), deadline);
}

Result<OwnedFd> ConnectUnix(const std::string& path, Deadline deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Fail(Reason::kInvalidArgument, "too long for a socket: " + path);
  std::ranges::copy(path, address.sun_path);
  OwnedFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return FailErrno("make a socket");
  // Blocks while the signer's queue of connections is full: SO_SNDTIMEO bounds that.
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - std::chrono::steady_clock::now());
  const std::int64_t us = std::max<std::int64_t>(left.count(), 1000);
  const timeval limit{us / 1'000'000, us % 1'000'000};
  if (setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
      connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0) {
    return FailErrno("the signer does not answer at " + path, Reason::kUnavailable);
  }
  return fd;
}

}  // namespace pawl::sign
