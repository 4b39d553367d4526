#include "cli/wait.h"

namespace pawl::cli {
namespace {

constexpr int kRetryMs = 1000;

}  // namespace

Done Wait::Pause(int milliseconds) {
  cli::Pause(milliseconds);
  if (Interrupted()) return Fail(Exit::kInterrupted, "interrupted; " + goes_on_, look_again_);
  if (session_.patience && std::chrono::steady_clock::now() - start_ >= *session_.patience) {
    return Fail(Exit::kTimeout,
                "not at its end after " + std::to_string(session_.patience->count()) + " s; " + goes_on_, look_again_);
  }
  return {};
}

Outcome<Answer> Wait::Get(const std::string& target) {
  const auto asked = std::chrono::steady_clock::now();
  bool noted = false;
  while (true) {
    Outcome<Answer> answer = session_.api.Get(target);
    if (answer || answer.error().exit != Exit::kUnreachable) return answer;
    if (std::chrono::steady_clock::now() - asked >= kMaxSilence) return answer;
    if (!std::exchange(noted, true)) session_.terminal.Note("the platform does not answer, asking again");
    CLI_TRY(Pause(kRetryMs));
  }
}

}  // namespace pawl::cli
