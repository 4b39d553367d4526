// A pawl-signer under test: a real process, its log caught.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/hosted/files.h"

namespace pawl::sign {

class SignerProcess {
 public:
  // Starts PAWL_SIGNER_PROGRAM with these arguments. `traced`: stopped at its first instruction, for ptrace.
  explicit SignerProcess(const std::vector<std::string>& arguments, bool traced = false);
  SignerProcess(const SignerProcess&) = delete;
  SignerProcess& operator=(const SignerProcess&) = delete;
  ~SignerProcess();  // kills it

  pid_t pid() const { return pid_; }
  // Reads the log until it holds the text. False if the process ended before, or after `limit`.
  bool WaitLog(const std::string& text, std::chrono::seconds limit = std::chrono::seconds(30));
  void Signal(int signal) const;
  // Waits for the end. The exit status, or 128 + signal.
  int Wait();
  const std::string& log() const { return log_; }

 private:
  pid_t pid_ = -1;
  OwnedFd log_pipe_;
  std::string log_;
};

}  // namespace pawl::sign
