#include "platform/io/channel/child.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace pawl {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{5000};
constexpr std::chrono::seconds kSteadyAfter{10};
constexpr int kPollMs = 20;
constexpr std::size_t kMaxLineBytes = 1000;

std::string ErrnoText(std::string_view what) { return std::string(what) + ": " + std::strerror(errno); }

// All that the new process needs, made before fork: between fork and exec nothing may allocate.
class Image {
 public:
  explicit Image(const ChildConfig& config) : config_(config) {
    for (const std::string& word : config.command) words_.push_back(const_cast<char*>(word.c_str()));
    words_.push_back(nullptr);
    for (char** entry = environ; *entry != nullptr; ++entry) environment_.push_back(*entry);
    // Before ours, so that a lookup finds them first.
    for (const std::string& entry : config.environment) {
      environment_.insert(environment_.begin(), const_cast<char*>(entry.c_str()));
    }
    environment_.push_back(nullptr);
  }

  // In the child. Only async-signal-safe calls.
  [[noreturn]] void Become(int output, pid_t parent) const {
    Prepare(output, parent);
    execvpe(words_[0], words_.data(), environment_.data());
    Die("cannot be executed");
  }

 private:
  void Prepare(int output, pid_t parent) const {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    signal(SIGPIPE, SIG_DFL);
    if (dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0) _exit(127);
    const int nothing = open("/dev/null", O_RDONLY);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0) Die("cannot open /dev/null");
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    if (!config_.directory.empty() && chdir(config_.directory.c_str()) != 0) Die("cannot enter its directory");
    if (config_.run_as) ChangeUser(*config_.run_as);
    // After the change of user, which would clear it. A parent that died meanwhile sends no signal: ask.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) Die("lost its parent");
  }
  static void ChangeUser(const UserId& id) {
    if (setgroups(1, &id.group) != 0 || setgid(id.group) != 0 || setuid(id.user) != 0) Die("cannot change its user");
  }
  [[noreturn]] static void Die(const char* why) {
    const char* cause = strerrordesc_np(errno);
    for (const char* part : {why, ": ", cause == nullptr ? "?" : cause, "\n"}) {
      if (write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
    }
    _exit(127);
  }

  const ChildConfig& config_;
  std::vector<char*> words_;
  std::vector<char*> environment_;
};

// Hands over the whole lines of what can be read now. Waits at most kPollMs for the first byte.
template <class TakeLine>
void ReadLines(int output, std::string& partial, const TakeLine& take) {
  pollfd wait{.fd = output, .events = POLLIN, .revents = 0};
  if (poll(&wait, 1, kPollMs) <= 0) return;
  std::array<char, 4096> buffer{};
  ssize_t n = 0;
  while ((n = read(output, buffer.data(), buffer.size())) > 0) {
    for (const char c : std::string_view(buffer.data(), static_cast<std::size_t>(n))) {
      if (c != '\n' && partial.size() < kMaxLineBytes) partial += c;
      if (c == '\n') {
        take(partial);
        partial.clear();
      }
    }
  }
  // End of file comes before the process can be waited for: do not spin meanwhile.
  if (n == 0) poll(nullptr, 0, kPollMs);
}

std::string HowItEnded(int status) {
  if (WIFEXITED(status)) return "ended with status " + std::to_string(WEXITSTATUS(status));
  if (WIFSIGNALED(status)) return std::string("was ended by signal ") + std::to_string(WTERMSIG(status));
  return "ended";
}

}  // namespace

Result<UserId> FindUser(const std::string& name) {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return Fail(Reason::kNotFound, "this system has no user \"" + name + "\"");
  }
  return UserId{entry.pw_uid, entry.pw_gid};
}

// One life of the child: its process and the pipe of its output.
struct Child::Running {
  pid_t pid = 0;
  int output = -1;
  std::optional<int> status;  // once it has ended
  std::string partial_line;
  std::string last_line;  // the best hint at why it ended

  ~Running() {
    if (output >= 0) close(output);
  }
  bool Ended() {
    int value = 0;
    if (!status && waitpid(pid, &value, WNOHANG) == pid) status = value;
    return status.has_value();
  }
};

Child::Child(ChildConfig config) : config_(std::move(config)) { health_.problem = config_.name + " was not started"; }

Child::~Child() { Stop(); }

void Child::Start() {
  if (thread_.joinable()) return;
  // PR_SET_PDEATHSIG follows the thread that forks: it is this one, and it lives until Stop.
  thread_ = std::jthread([this](const std::stop_token& stop) { Supervise(stop); });
}

void Child::Stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

Status Child::WaitReady(milliseconds within) {
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, within, [this] { return health_.ready; })) return {};
  return Fail(Reason::kTimeout, health_.problem);
}

Child::Health Child::health() const {
  const std::scoped_lock lock(mutex_);
  return health_;
}

void Child::Supervise(std::stop_token stop) {
  milliseconds pause = kFirstPause;
  while (!stop.stop_requested()) {
    const auto started = Clock::now();
    const std::string end = RunOnce(stop);
    SetDown(stop.stop_requested() ? config_.name + " was stopped" : end);
    if (stop.stop_requested()) break;
    if (Clock::now() - started > kSteadyAfter) pause = kFirstPause;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, pause, [] { return false; });
    pause = std::min(pause * 2, kLongestPause);
    ++health_.restarts;
  }
}

// Returns how it ended.
std::string Child::RunOnce(std::stop_token stop) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return ErrnoText(config_.name + ": cannot make a pipe");
  const Image image(config_);
  Running running;
  running.output = ends[0];
  fcntl(running.output, F_SETFL, O_NONBLOCK);
  const pid_t parent = getpid();
  running.pid = fork();
  if (running.pid == 0) image.Become(ends[1], parent);
  const int fork_error = errno;
  close(ends[1]);
  if (running.pid < 0) {
    errno = fork_error;
    return ErrnoText(config_.name + ": cannot start a process");
  }
  {
    const std::scoped_lock lock(mutex_);
    health_.pid = running.pid;
    // After a failure that stays the answer until it is ready: it is what a person must know.
    if (health_.restarts == 0) health_.problem = config_.name + " is starting";
  }
  return Watch(running, stop);
}

std::string Child::Watch(Running& running, std::stop_token stop) {
  const auto deadline = Clock::now() + config_.ready_within;
  const auto take = [&](const std::string& line) {
    Log(line);
    running.last_line = line;
  };
  bool ready = false;
  while (!running.Ended()) {
    if (stop.stop_requested()) {
      End(running);
      return config_.name + " was stopped";
    }
    if (!ready && (!config_.is_ready || config_.is_ready())) {
      ready = true;
      SetReady();
    }
    if (!ready && Clock::now() > deadline) {
      End(running);
      return config_.name + " did not become ready in time; it said last: " + running.last_line;
    }
    ReadLines(running.output, running.partial_line, take);
  }
  ReadLines(running.output, running.partial_line, take);
  return config_.name + " " + HowItEnded(*running.status) + "; it said last: " + running.last_line;
}

void Child::End(Running& running) {
  kill(running.pid, SIGTERM);
  const auto deadline = Clock::now() + config_.stop_within;
  while (!running.Ended()) {
    if (Clock::now() > deadline) kill(running.pid, SIGKILL);
    ReadLines(running.output, running.partial_line, [this](const std::string& line) { Log(line); });
  }
}

void Child::SetReady() {
  {
    const std::scoped_lock lock(mutex_);
    health_.ready = true;
    health_.problem.clear();
  }
  changed_.notify_all();
  if (config_.on_change) config_.on_change(true, config_.name + " is ready");
}

void Child::SetDown(const std::string& problem) {
  {
    const std::scoped_lock lock(mutex_);
    health_.ready = false;
    health_.pid = 0;
    health_.problem = problem;
  }
  changed_.notify_all();
  if (config_.on_change) config_.on_change(false, problem);
}

void Child::Log(std::string_view line) const {
  if (config_.on_line) config_.on_line(line);
}

}  // namespace pawl
