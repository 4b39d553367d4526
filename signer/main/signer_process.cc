#include "signer/main/signer_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "base/assert.h"

namespace pawl::sign {

SignerProcess::SignerProcess(const std::vector<std::string>& arguments, bool traced) {
  std::vector<char*> argv{const_cast<char*>("pawl-signer")};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  int ends[2];
  PAWL_ASSERT(pipe2(ends, O_CLOEXEC) == 0);
  pid_ = fork();
  PAWL_ASSERT(pid_ >= 0);
  if (pid_ == 0) {
    dup2(ends[1], STDERR_FILENO);
    if (traced) ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    execv(PAWL_SIGNER_PROGRAM, argv.data());
    _exit(127);
  }
  close(ends[1]);
  log_pipe_ = OwnedFd(ends[0]);
}

SignerProcess::~SignerProcess() {
  if (pid_ < 0) return;
  Signal(SIGKILL);
  Wait();
}

void SignerProcess::Signal(int signal) const {
  if (pid_ > 0) kill(pid_, signal);
}

bool SignerProcess::WaitLog(const std::string& text, std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (log_.find(text) == std::string::npos) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd watched{log_pipe_.get(), POLLIN, 0};
    if (left.count() <= 0 || poll(&watched, 1, static_cast<int>(left.count())) <= 0) return false;
    std::array<char, 4096> part{};
    const ssize_t got = read(log_pipe_.get(), part.data(), part.size());
    if (got <= 0) return false;
    log_.append(part.data(), static_cast<std::size_t>(got));
  }
  return true;
}

int SignerProcess::Wait() {
  if (pid_ < 0) return -1;
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace pawl::sign
