#include "agent/io/serial/line.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "agent/io/log.h"

namespace pawl::agent {
namespace {

constexpr std::size_t kReadBytes = 4096;

std::unexpected<Error> Unavailable(std::string_view where, std::string_view what) {
  Error error{Reason::kUnavailable, where};
  error.detail.append(": ").append(what);
  return std::unexpected(error);
}

std::unexpected<Error> SystemError(std::string_view where, std::string_view what) {
  return Unavailable(where, std::string(what) + ": " + std::strerror(errno));
}

Result<speed_t> SpeedOf(std::uint32_t baud) {
  constexpr std::array<std::pair<std::uint32_t, speed_t>, 9> kSpeeds{{{9600, B9600},
                                                                      {19200, B19200},
                                                                      {38400, B38400},
                                                                      {57600, B57600},
                                                                      {115200, B115200},
                                                                      {230400, B230400},
                                                                      {460800, B460800},
                                                                      {921600, B921600},
                                                                      {1000000, B1000000}}};
  const auto* found = std::ranges::find(kSpeeds, baud, &std::pair<std::uint32_t, speed_t>::first);
  if (found != kSpeeds.end()) return found->second;
  return Fail(Reason::kInvalidArgument, "serial_baud: not a speed of a serial line: " + std::to_string(baud));
}

Status MakeRaw(int fd, const std::string& where, speed_t speed) {
  termios settings{};
  if (::tcgetattr(fd, &settings) != 0) return SystemError(where, "no serial line");
  ::cfmakeraw(&settings);
  settings.c_cflag &= ~static_cast<tcflag_t>(CSTOPB | CRTSCTS);
  settings.c_cflag |= CLOCAL | CREAD;
  settings.c_cc[VMIN] = 1;
  settings.c_cc[VTIME] = 0;
  ::cfsetspeed(&settings, speed);
  if (::tcsetattr(fd, TCSANOW, &settings) != 0) return SystemError(where, "set up");
  ::tcflush(fd, TCIOFLUSH);
  return {};
}

// Two gateways on one line would hear each other's answers.
Result<OwnedFd> OpenTerminal(const std::string& where, speed_t speed) {
  OwnedFd fd(::open(where.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (fd.get() < 0) return SystemError(where, "open");
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return Unavailable(where, "in use by another process");
  PAWL_TRY(MakeRaw(fd.get(), where, speed));
  return fd;
}

Result<OwnedFd> OpenSocket(const std::string& where) {
  const std::string_view path = std::string_view(where).substr(kSocketPrefix.size());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Unavailable(where, "the path is too long");
  std::ranges::copy(path, address.sun_path);
  OwnedFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return SystemError(where, "connect");
  }
  return fd;
}

}  // namespace

Result<std::unique_ptr<SerialLine>> SerialLine::Open(const std::string& where, std::uint32_t baud) {
  PAWL_ASSIGN(const speed_t speed, SpeedOf(baud));
  PAWL_ASSIGN(OwnedFd fd, where.starts_with(kSocketPrefix) ? OpenSocket(where) : OpenTerminal(where, speed));
  return std::make_unique<SerialLine>(std::move(fd));
}

SerialLine::SerialLine(OwnedFd fd) : fd_(std::move(fd)) {
  ::fcntl(fd_.get(), F_SETFL, ::fcntl(fd_.get(), F_GETFL) | O_NONBLOCK);
}

void SerialLine::Send(const serial::Payload& payload) {
  const serial::Frame frame = serial::Pack(payload);
  if (queued_.size() + frame.size() <= kMaxQueued) queued_.insert(queued_.end(), frame.begin(), frame.end());
  static_cast<void>(Write());  // Service tells of a line that is closed
}

void SerialLine::AddTo(std::vector<pollfd>& fds) const {
  const int wanted = queued_.empty() ? POLLIN : POLLIN | POLLOUT;
  fds.push_back({fd_.get(), static_cast<short>(wanted), 0});
}

Status SerialLine::Write() {
  while (!queued_.empty()) {
    const ssize_t n = ::write(fd_.get(), queued_.data(), queued_.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return {};
    if (n <= 0) return Fail(Reason::kUnavailable, "the serial line is closed");
    queued_.erase(queued_.begin(), queued_.begin() + n);
  }
  return {};
}

Result<std::vector<serial::Payload>> SerialLine::Service() {
  PAWL_TRY(Write());
  std::vector<serial::Payload> payloads;
  std::array<std::uint8_t, kReadBytes> bytes;
  for (int i = 0; i < kMaxReads; ++i) {
    const ssize_t n = ::read(fd_.get(), bytes.data(), bytes.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (n <= 0 && payloads.empty()) return Fail(Reason::kUnavailable, "the serial line is closed");
    if (n <= 0) break;  // what has come counts; the next call finds it closed again
    for (const std::uint8_t byte : std::span(bytes).first(static_cast<std::size_t>(n))) TakeByte(byte, payloads);
  }
  return payloads;
}

void SerialLine::TakeByte(std::uint8_t byte, std::vector<serial::Payload>& payloads) {
  const serial::FrameReader::Got got = reader_.Take(byte);
  if (const auto* text = std::get_if<serial::FrameReader::Text>(&got)) TakeText(text->c);
  const auto* frame = std::get_if<serial::FrameReader::Payload>(&got);
  if (frame == nullptr || frame->bytes.size() > serial::kMaxPayloadBytes) return;
  serial::Payload& payload = payloads.emplace_back();
  for (const std::uint8_t b : frame->bytes) payload.push_back(b);
}

void SerialLine::TakeText(char c) {
  if (c == '\r') return;
  if (c != '\n') text_ += c;
  if (c != '\n' && text_.size() < kMaxTextLine) return;
  if (!text_.empty()) Log("child: " + text_);
  text_.clear();
}

}  // namespace pawl::agent
