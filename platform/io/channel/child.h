// A supervised child process: started, watched until it is ready, started again when it ends, stopped with us.
//
// The kernel ends the child when this process dies, however it dies (PR_SET_PDEATHSIG, SIGKILL): nothing is left behind
// that would hold a port or a token. Each line that the child prints goes to the log.
// Threads   one thread of its own; the callbacks come from it. All methods may be called from any other thread.
// Backoff   100 ms, doubled up to 5 s; back to 100 ms after the child was ready for 10 s.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"

namespace pawl {

struct UserId {
  uid_t user = 0;
  gid_t group = 0;
};
// Errors: not found.
Result<UserId> FindUser(const std::string& name);

struct ChildConfig {
  std::string name;                      // for messages: "broker"
  std::vector<std::string> command;      // command[0] is looked up in PATH; never a secret
  std::vector<std::string> environment;  // KEY=VALUE, besides ours
  std::string directory;                 // entered before the user changes: parents need not be open to that user
  std::optional<UserId> run_as;          // needs root; all other groups are dropped

  // Asked every 20 ms until true: then the child is ready. Empty: ready as soon as it was started. Must not block for
  // long.
  std::function<bool()> is_ready;
  std::chrono::milliseconds ready_within = std::chrono::seconds(15);  // else it is ended and started again
  std::chrono::milliseconds stop_within = std::chrono::seconds(5);    // after SIGTERM; then SIGKILL

  std::function<void(std::string_view line)> on_line;  // its stdout and stderr, at most 1000 bytes a line
  std::function<void(bool ready, const std::string& what)> on_change;
};

class Child {
 public:
  struct Health {
    bool ready = false;
    pid_t pid = 0;               // 0: not running
    std::uint64_t restarts = 0;  // after the first start
    std::string problem;         // why it is not ready; names the child and how it ended
  };

  explicit Child(ChildConfig config);  // does not start it
  ~Child();                            // stops it
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void Start();
  void Stop();  // returns when the child has ended; harmless when it was not started
  // Errors: timeout (the detail says how the child ended last).
  Status WaitReady(std::chrono::milliseconds within);
  Health health() const;

 private:
  struct Running;
  void Supervise(std::stop_token stop);
  std::string RunOnce(std::stop_token stop);
  std::string Watch(Running& running, std::stop_token stop);
  void End(Running& running);
  void SetReady();
  void SetDown(const std::string& problem);
  void Log(std::string_view line) const;

  ChildConfig config_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  Health health_;
  std::jthread thread_;
};

}  // namespace pawl
