// Waiting for something on the platform to end: asking again until then, through restarts of the platform.
#pragma once

#include <chrono>
#include <string>

#include "cli/commands.h"

namespace pawl::cli {

class Wait {
 public:
  // A platform that is silent for so long is not waited for any more.
  static constexpr std::chrono::seconds kMaxSilence{60};

  // `goes_on` says what Ctrl-C does not end ("the campaign goes on"), `look_again` is the command to come back with.
  Wait(Session& session, std::string goes_on, std::string look_again)
      : session_(session), goes_on_(std::move(goes_on)), look_again_(std::move(look_again)) {}

  // Failures: kInterrupted; kTimeout (--timeout is over).
  Done Pause(int milliseconds);
  // As Api::Get; a platform that does not answer is asked again, with a note, for kMaxSilence. Failures: Pause's,
  // Get's.
  Outcome<Answer> Get(const std::string& target);

 private:
  Session& session_;
  std::string goes_on_;
  std::string look_again_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace pawl::cli
