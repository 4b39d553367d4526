// The order and the ends of the self-tests: one step after the other, each within its budget, the whole within the
// signed trial budget. Pure.
//
//   - Only a step that is completed lets the watchdog be fed, and the steps are finite in number and time.
//   - A failed step ends the run at once, with the test's name.
//   - Connectivity: `no link` is the firmware's fault, after a short wait for slow networks; `undecided` (the gateway
//     answers, no platform endpoint does) is waited out up to the patience, and that time is not the trial's.
// Source: docs/spec/boot.md, "Watchdog and self-tests"; docs/spec/protocol.md, device rule 5.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"

namespace pawl::agent {

enum class Verdict : std::uint8_t {
  kPass,
  kFail,
  kAgain,      // not yet: the same step again
  kNoLink,     // connectivity only
  kUndecided,  // connectivity only
};

struct TestLimits {
  std::optional<std::uint64_t> budget_ms;  // of the trial; nothing: no trial, no end
  std::uint64_t patience_ms = 900'000;
  std::uint64_t link_wait_ms = 20'000;  // how long `no link` is asked again
};

struct RunTest {
  std::size_t index = 0;
};
struct TestsDone {};
struct TestsFailed {
  Reason reason = Reason::kSelfTestFailed;
  std::string detail;
};
using TestNext = std::variant<RunTest, TestsDone, TestsFailed>;

class SelfTestPlan {
 public:
  SelfTestPlan(std::vector<std::string> names, const TestLimits& limits, std::uint64_t now_ms);

  TestNext Next(std::uint64_t now_ms) const;
  // The outcome of the step that Next named. The watchdog may be fed now.
  void Completed(Verdict verdict, std::string_view detail, std::uint64_t now_ms);
  // When the trial ends whatever happens; nothing: never.
  std::optional<std::uint64_t> EndsAt() const;

 private:
  void NoteUndecided(bool undecided, std::uint64_t now_ms);

  std::vector<std::string> names_;
  TestLimits limits_;
  std::uint64_t started_ms_;
  std::size_t next_ = 0;
  std::uint64_t undecided_ms_ = 0;  // spent so far
  std::optional<std::uint64_t> undecided_since_;
  std::optional<std::uint64_t> no_link_since_;
  std::optional<TestsFailed> failed_;
};

}  // namespace pawl::agent
