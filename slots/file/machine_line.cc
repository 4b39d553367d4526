#include "slots/file/machine_line.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

namespace pawl {
namespace {

constexpr std::string_view kRequestMagic = "PMC1";
constexpr int kHandOffTimeoutMs = 5000;

std::unexpected<Error> SystemError(std::string_view what) {
  Error error{Reason::kIo, "machine line: "};
  error.detail.append(what).append(": ").append(std::strerror(errno));
  return std::unexpected(error);
}

Status CheckMagic(ByteView packet, std::string_view magic, std::size_t size) {
  const std::size_t name_bytes = magic.size() - 1;
  if (packet.size() < magic.size() || !Equal(packet.first(name_bytes), AsBytes(magic).first(name_bytes))) {
    return Fail(Reason::kMalformed, "machine line: not a packet of this line");
  }
  if (packet[name_bytes] != static_cast<std::uint8_t>(magic[name_bytes])) {
    return Fail(Reason::kUnsupportedVersion, "machine line: the other end speaks another version than 1");
  }
  if (packet.size() != size) return Fail(Reason::kMalformed, "machine line: a packet of the wrong size");
  return {};
}

Status SendPacket(int fd, ByteView packet) {
  for (;;) {
    if (::send(fd, packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return {};
    if (errno == EAGAIN) return {};  // a full line holds requests that say the same
    if (errno != EINTR) return SystemError("send");
  }
}

}  // namespace

RequestPacket EncodeRequest(MachineRequest request) {
  RequestPacket packet{};
  std::ranges::copy(kRequestMagic, packet.begin());
  StoreLe(MutableBytes(packet).subspan(4, 4), static_cast<std::uint32_t>(request));
  return packet;
}

Result<MachineRequest> DecodeRequest(ByteView packet) {
  PAWL_TRY(CheckMagic(packet, kRequestMagic, sizeof(RequestPacket)));
  const auto kind = LoadLe<std::uint32_t>(packet.subspan(4, 4));
  if (kind != static_cast<std::uint32_t>(MachineRequest::kFeed) &&
      kind != static_cast<std::uint32_t>(MachineRequest::kReset)) {
    return Fail(Reason::kMalformed, "machine line: unknown request");
  }
  return static_cast<MachineRequest>(kind);
}

Result<MachineLine> MachineLine::FromEnvironment() {
  const char* text = std::getenv(kMachineLineVariable);
  if (text == nullptr) return Fail(Reason::kNotFound, "PAWL_MACHINE_FD is not set: not started by pawl-machine");
  int fd = -1;
  const char* end = text + std::strlen(text);
  const auto parsed = std::from_chars(text, end, fd);
  if (parsed.ec != std::errc{} || parsed.ptr != end || fd < 3 || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    return Fail(Reason::kNotFound, "PAWL_MACHINE_FD names no open descriptor: not started by pawl-machine");
  }
  return FromFd(OwnedFd(fd));
}

Result<MachineLine> MachineLine::FromFd(OwnedFd fd) {
  pollfd ready{.fd = fd.get(), .events = POLLIN, .revents = 0};
  int count = 0;
  do {
    count = ::poll(&ready, 1, kHandOffTimeoutMs);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return SystemError("poll");
  if (count == 0) return Fail(Reason::kTimeout, "machine line: no hand-off");
  std::array<std::uint8_t, sizeof(HandOffPacket) + 1> packet{};
  const ssize_t n = ::recv(fd.get(), packet.data(), packet.size(), 0);
  if (n < 0) return SystemError("recv");
  if (n == 0) return Fail(Reason::kIo, "machine line: the machine is gone");
  PAWL_ASSIGN(const HandOff hand_off, DecodeHandOff(ByteView(packet).first(static_cast<std::size_t>(n))));
  return MachineLine(std::move(fd), hand_off);
}

Status MachineLine::Send(MachineRequest request) { return SendPacket(fd_.get(), EncodeRequest(request)); }
Status MachineLine::Feed() { return Send(MachineRequest::kFeed); }
Status MachineLine::Reset() { return Send(MachineRequest::kReset); }

Result<MachineEnd::Pair> MachineEnd::Make() {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return SystemError("socketpair");
  return Pair{MachineEnd(OwnedFd(ends[0])), OwnedFd(ends[1])};
}

Status MachineEnd::Send(const HandOff& hand_off) { return SendPacket(fd_.get(), EncodeHandOff(hand_off)); }

Result<std::optional<MachineRequest>> MachineEnd::Receive() {
  std::array<std::uint8_t, sizeof(RequestPacket) + 1> packet{};
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return std::optional<MachineRequest>{};
    if (n < 0) return SystemError("recv");
    if (n == 0) return Fail(Reason::kIo, "machine line: the image's end is closed");
    PAWL_ASSIGN(const MachineRequest request, DecodeRequest(ByteView(packet).first(static_cast<std::size_t>(n))));
    return std::optional(request);
  }
}

}  // namespace pawl
