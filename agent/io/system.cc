#include "agent/io/system.h"

#include <signal.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>

#include "base/assert.h"

namespace pawl::agent {

std::uint64_t MonotonicMs() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

std::uint64_t WallS() {
  const time_t now = ::time(nullptr);
  return now < 0 ? 0 : static_cast<std::uint64_t>(now);
}

TimePoint Now() { return {.ms = MonotonicMs(), .wall_s = WallS()}; }

void FillRandom(MutableBytes to) {
  while (!to.empty()) {
    const ssize_t n = ::getrandom(to.data(), to.size(), 0);
    PAWL_ASSERT(n > 0);
    to = to.subspan(static_cast<std::size_t>(n));
  }
}

Draw DrawRandom() {
  std::array<std::uint8_t, 24> bytes{};
  FillRandom(bytes);
  Draw draw;
  std::copy_n(bytes.begin(), draw.nonce.size(), draw.nonce.begin());
  draw.jitter = LoadLe<std::uint64_t>(ByteView(bytes).subspan(16));
  return draw;
}

OwnedFd OpenStopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return OwnedFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace pawl::agent
