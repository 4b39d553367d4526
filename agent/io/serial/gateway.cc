#include "agent/io/serial/gateway.h"

#include <fcntl.h>

#include <algorithm>

#include "agent/io/agent.h"
#include "agent/io/log.h"
#include "agent/io/serial/child_hardware.h"
#include "agent/io/system.h"
#include "base/hosted/files.h"

namespace pawl::agent {
namespace {

constexpr std::uint64_t kPauseMs = 500;
constexpr int kStatusTries = 2;

struct Child {
  std::unique_ptr<ChildLink> link;
  serial::Facts facts;
};

// Held while the line is used: one folder, one child, one agent.
Result<OwnedFd> LockLine(const Config& config, std::chrono::milliseconds wait = kPredecessorWait) {
  const std::string path = config.InData("serial.lock");
  OwnedFd lock(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
  if (!lock) return FileError("open", path);
  PAWL_TRY(LockFile(lock, path, "another agent has its line, and holds", wait));
  return lock;
}

bool Stopped(const OwnedFd& stop, std::uint64_t wait_ms) {
  pollfd fd{stop.get(), POLLIN, 0};
  return ::poll(&fd, 1, static_cast<int>(wait_ms)) > 0;
}

// Facts, or nothing: it was stopped.
Result<std::optional<Child>> Ask(const Config& config, const ChildLink::Options& options, const OwnedFd* stop) {
  PAWL_ASSIGN(auto line, SerialLine::Open(config.serial, config.serial_baud));
  auto link = std::make_unique<ChildLink>(std::move(line), options);
  std::optional<Result<serial::Facts>> facts;
  link->Ask(serial::AskFacts{}, [&facts](const ChildLink::Answer& answer) { facts = As<serial::Facts>(answer); });
  for (;;) {
    link->Work(MonotonicMs());
    if (link->failed()) return std::unexpected(*link->failed());
    if (facts) break;
    std::vector<pollfd> fds{{stop != nullptr ? stop->get() : -1, POLLIN, 0}};
    link->AddTo(fds);
    const std::uint64_t now_ms = MonotonicMs();
    const std::uint64_t wait_ms = link->NextMs() <= now_ms ? 0 : link->NextMs() - now_ms;
    ::poll(fds.data(), fds.size(), static_cast<int>(std::min(wait_ms, options.repeat_ms)));
    if (fds[0].revents != 0) return std::nullopt;
  }
  if (!*facts) return std::unexpected(facts->error());
  return Child{std::move(link), **facts};
}

bool WaitingMends(const Error& error) {
  return error.reason != Reason::kInvalidArgument && error.reason != Reason::kUnsupportedVersion;
}

// Nothing: it was stopped. Errors: those that waiting does not mend.
Result<std::optional<Child>> WaitForChild(const Config& config, const OwnedFd& stop) {
  std::string told;  // once, not at every try
  for (;;) {
    auto child = Ask(config, ChildLink::Options{}, &stop);
    if (child || !WaitingMends(child.error())) return child;
    if (told != child.error().detail.view()) LogError("gateway: waiting for the child", child.error());
    told = child.error().detail.view();
    if (Stopped(stop, kPauseMs)) return std::nullopt;
  }
}

}  // namespace

Status RunGateway(const Config& config) {
  const OwnedFd stop = OpenStopSignals();
  PAWL_ASSIGN(const OwnedFd lock, LockLine(config));
  for (;;) {
    PAWL_ASSIGN(auto child, WaitForChild(config, stop));
    if (!child) return {};
    PAWL_ASSIGN(auto agent, Agent::Open(config, BehindSerial(std::move(child->link), child->facts)));
    if (agent->Run() == Agent::End::kStopped || Stopped(stop, kPauseMs)) return {};
  }
}

Result<serial::Facts> AskChild(const Config& config) {
  PAWL_ASSIGN(const OwnedFd lock, LockLine(config, std::chrono::milliseconds(0)));
  ChildLink::Options options;
  options.tries = kStatusTries;
  PAWL_ASSIGN(const auto child, Ask(config, options, nullptr));
  return child->facts;
}

}  // namespace pawl::agent
