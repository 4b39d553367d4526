#include "firmware/bare/host/host_child.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>

namespace pawl::firmware {
namespace {

constexpr int kWaitMs = 5;  // for input, between two steps of the child

std::uint64_t Now() {
  using namespace std::chrono;
  return static_cast<std::uint64_t>(duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count());
}

}  // namespace

HostChild::HostChild(const HostMachine::Setup& setup, int fd)
    : machine_(setup, *this), fd_(fd), watchdog_ms_(setup.watchdog_ms) {}

void HostChild::Send(const serial::Frame& frame) {
  ByteView rest = frame;
  while (open_ && !rest.empty()) {
    const ssize_t sent = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      rest = rest.subspan(static_cast<std::size_t>(sent));
    } else if (errno != EINTR && errno != EAGAIN) {
      open_ = false;
    }
  }
}

void HostChild::Print(std::string_view text) {
  text_.append(text);
  if (open_) static_cast<void>(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL));
}

void HostChild::Feed() { fed_ms_ = Now(); }

void HostChild::Start(ResetCause cause) {
  ++starts_;
  fed_ms_ = Now();
  machine_.Start(cause, Now());
}

bool HostChild::ReadLine() {
  pollfd wait{.fd = fd_, .events = POLLIN, .revents = 0};
  if (::poll(&wait, 1, kWaitMs) <= 0) return true;
  std::array<std::uint8_t, 2048> buffer;
  const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got == 0) return false;
  for (ssize_t i = 0; i < got && machine_.child() != nullptr && !machine_.child()->reset_wanted(); ++i) {
    machine_.child()->Take(buffer[static_cast<std::size_t>(i)], Now());
  }
  return got > 0 || errno == EAGAIN || errno == EINTR;
}

// What hardware does about an image that ended, asked for a reset, or does not feed.
void HostChild::Watch() {
  const Child* child = machine_.child();
  if (child != nullptr && child->reset_wanted()) return Start(ResetCause::kSoftware);
  const bool crashed = machine_.behaviour() == Behaviour::kCrashes;
  if (crashed) return Start(ResetCause::kOther);
  const bool runs = child != nullptr || machine_.hangs();
  if (runs && Now() - fed_ms_ > watchdog_ms_) Start(ResetCause::kWatchdog);
}

void HostChild::Run(const std::atomic<bool>& stop) {
  Start(ResetCause::kPower);
  while (!stop && open_) {
    if (!ReadLine()) return;
    if (Child* child = machine_.child(); child != nullptr && !child->reset_wanted()) child->Poll(Now());
    Watch();
  }
}

}  // namespace pawl::firmware
