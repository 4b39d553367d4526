#include "boot/port/host/image_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <vector>

#include "boot/port/host/device_dir.h"

namespace pawl {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kEndTimeout = std::chrono::seconds(10);
constexpr int kPollMs = 5;
constexpr std::size_t kMaxProcBytes = 1 << 20;

// Every process that /proc lists, as this user may see it.
std::vector<pid_t> AllProcesses() {
  std::vector<pid_t> all;
  std::error_code error;
  for (std::filesystem::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos) all.push_back(std::atoi(name.c_str()));
  }
  return all;
}

// Empty for a process that is gone. Not by a stream: one throws when the process ends while it is read (ESRCH).
std::string ReadProc(pid_t pid, const char* name) {
  std::string text;
  const OwnedFd file(::open(("/proc/" + std::to_string(pid) + "/" + name).c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> part{};
  while (file.get() >= 0 && text.size() < kMaxProcBytes) {
    const ssize_t got = ::read(file.get(), part.data(), part.size());
    if (got <= 0) break;
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  return text;
}

// Field 4 of /proc/PID/stat; the name before it may hold anything but ends at the last ')'.
pid_t ParentOf(pid_t pid) {
  const std::string stat = ReadProc(pid, "stat");
  const std::size_t end = stat.rfind(')');
  if (end == std::string::npos || end + 4 >= stat.size()) return 0;
  return std::atoi(stat.c_str() + end + 4);
}

bool HasVariable(const std::string& environment, const std::string& assignment) {
  const std::string fenced = '\0' + environment;
  return fenced.find('\0' + assignment) != std::string::npos;
}

bool BelongsTo(pid_t pid, const std::string& device_dir) {
  const std::string environment = ReadProc(pid, "environ");
  return HasVariable(environment, std::string(kDeviceDirVariable) + "=" + device_dir + '\0') &&
         HasVariable(environment, std::string(kMachineLineVariable) + "=");
}

// In the child, between fork and exec.
[[noreturn]] void BecomeImage(const ImageStart& start, pid_t parent, char** environment) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // the machine died before the line above
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = ::open("/dev/null", O_RDONLY);
  bool ready = null >= 0 && ::dup2(null, 0) == 0 && ::dup2(start.serial_fd, 1) == 1 && ::dup2(start.serial_fd, 2) == 2;
  if (null > 2) ::close(null);
  ready = ready && ::fcntl(start.line_fd, F_SETFD, 0) == 0 && ::chdir(start.device_dir.c_str()) == 0;
  char name[] = "pawl-image";
  char* arguments[] = {name, nullptr};
  if (ready) ::fexecve(start.image_fd, arguments, environment);
  const char* why = std::strerror(errno);
  static_cast<void>(!::write(2, "machine: the image does not start: ", 35));
  static_cast<void>(!::write(2, why, std::strlen(why)));
  static_cast<void>(!::write(2, "\n", 1));
  ::_exit(127);
}

}  // namespace

Result<pid_t> StartImage(const ImageStart& start) {
  // Built before the fork: nothing is allocated in the child.
  std::vector<std::string> variables = {std::string(kDeviceDirVariable) + "=" + start.device_dir,
                                        std::string(kMachineLineVariable) + "=" + std::to_string(start.line_fd)};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view variable(*entry);
    const std::string_view name = variable.substr(0, variable.find('='));
    if (name != kDeviceDirVariable && name != kMachineLineVariable) variables.emplace_back(variable);
  }
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return FailWith(Reason::kIo, {"fork"}, errno);
  if (pid == 0) BecomeImage(start, parent, environment.data());
  ::setpgid(pid, pid);  // here too: whoever is first, the group exists before anybody signals it
  return pid;
}

Status AdoptOrphans() {
  return ::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 ? Status{} : FailWith(Reason::kIo, {"PR_SET_CHILD_SUBREAPER"}, errno);
}

Status EndDescendants(pid_t image) {
  const auto deadline = Clock::now() + kEndTimeout;
  ::kill(-image, SIGKILL);
  // Whoever left the group (setsid, double fork) becomes a child of this process once its parent is dead.
  while (Clock::now() < deadline) {
    bool any = false;
    for (const pid_t pid : AllProcesses()) {
      if (ParentOf(pid) != ::getpid()) continue;
      any = true;
      ::kill(pid, SIGKILL);
    }
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    if (!any && ::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD) return {};
    ::poll(nullptr, 0, kPollMs);
  }
  return Fail(Reason::kTimeout, "a process of the image survives SIGKILL");
}

Status EndLeftovers(const std::string& device_dir) {
  for (const pid_t pid : AllProcesses()) {
    if (pid == ::getpid() || !BelongsTo(pid, device_dir)) continue;
    // The descriptor holds on to that very process; its environment is looked at again, for the pid may be another's.
    const OwnedFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (process.get() < 0 || !BelongsTo(pid, device_dir)) continue;
    ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
    pollfd ended{.fd = process.get(), .events = POLLIN, .revents = 0};
    const int timeout_ms = static_cast<int>(std::chrono::milliseconds(kEndTimeout).count());
    if (::poll(&ended, 1, timeout_ms) == 0) return Fail(Reason::kTimeout, "a process of the image survives SIGKILL");
  }
  return {};
}

}  // namespace pawl
