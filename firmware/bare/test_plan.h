// The order and the ends of the self-tests: one step after the other, the whole within the signed trial budget. Pure.
//
//   - A failed step ends the run at once.
//   - Connectivity: `no link` is the firmware's fault, after a short wait; `undecided` (the gateway answers, no
//   platform
//     does) is waited out up to the patience, and that time is not the trial's.
// Source  docs/spec/serial.md, "What the child does by itself"; the same rules as agent/core/self_test_plan.h, without
// a
//         heap.
#pragma once

#include <optional>
#include <variant>

#include "base/result.h"

namespace pawl::firmware {

enum class Verdict : std::uint8_t {
  kPass,
  kFail,
  kMore,       // a part of the step is done, the next may follow at once
  kAgain,      // not ready: the same step again, after a pause
  kNoLink,     // connectivity only
  kUndecided,  // connectivity only
};

struct TestLimits {
  std::optional<std::uint64_t> budget_ms;  // of the trial; nothing: no trial, no end
  std::uint64_t patience_ms = 900'000;
  std::uint64_t link_wait_ms = 20'000;  // how long `no link` is asked again; at most a third of the budget
};

class TestPlan {
 public:
  struct Run {};
  struct Done {};
  struct Failed {
    Reason reason = Reason::kSelfTestFailed;
  };
  using Next = std::variant<Run, Done, Failed>;

  TestPlan(std::size_t tests, const TestLimits& limits, std::uint64_t now_ms);

  // What to do now, with the test `index()`.
  Next Advance(std::uint64_t now_ms) const;
  std::size_t index() const { return index_; }
  // The outcome of that test. In a trial the watchdog may be fed now.
  void Completed(Verdict verdict, std::uint64_t now_ms);

 private:
  std::uint64_t EndsAt() const;
  void NoteUndecided(bool undecided, std::uint64_t now_ms);

  std::size_t tests_;
  TestLimits limits_;
  std::uint64_t started_ms_;
  std::size_t index_ = 0;
  std::uint64_t undecided_ms_ = 0;  // spent so far
  std::optional<std::uint64_t> undecided_since_;
  std::optional<std::uint64_t> no_link_since_;
  std::optional<Reason> failed_;
};

}  // namespace pawl::firmware
