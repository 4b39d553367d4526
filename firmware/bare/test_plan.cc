#include "firmware/bare/test_plan.h"

#include <algorithm>

namespace pawl::firmware {

TestPlan::TestPlan(std::size_t tests, const TestLimits& limits, std::uint64_t now_ms)
    : tests_(tests), limits_(limits), started_ms_(now_ms) {
  if (limits_.budget_ms) limits_.link_wait_ms = std::min(limits_.link_wait_ms, *limits_.budget_ms / 3);
}

// Precondition: there is a budget.
std::uint64_t TestPlan::EndsAt() const {
  const std::uint64_t end = started_ms_ + *limits_.budget_ms + undecided_ms_;
  return undecided_since_ ? end + limits_.patience_ms : end;
}

TestPlan::Next TestPlan::Advance(std::uint64_t now_ms) const {
  if (failed_) return Failed{*failed_};
  if (index_ == tests_) return Done{};
  if (limits_.budget_ms && now_ms >= EndsAt()) return Failed{Reason::kTrialBudgetSpent};
  return Run{};
}

void TestPlan::NoteUndecided(bool undecided, std::uint64_t now_ms) {
  if (undecided && !undecided_since_) undecided_since_ = now_ms;
  if (undecided || !undecided_since_) return;
  undecided_ms_ = std::min(undecided_ms_ + (now_ms - *undecided_since_), limits_.patience_ms);
  undecided_since_.reset();
}

void TestPlan::Completed(Verdict verdict, std::uint64_t now_ms) {
  NoteUndecided(verdict == Verdict::kUndecided, now_ms);
  if (verdict != Verdict::kNoLink) no_link_since_.reset();
  switch (verdict) {
    case Verdict::kPass:
      ++index_;
      return;
    case Verdict::kFail:
      failed_ = Reason::kSelfTestFailed;
      return;
    case Verdict::kMore:
    case Verdict::kAgain:
      return;
    case Verdict::kNoLink:
      if (!no_link_since_) no_link_since_ = now_ms;
      if (now_ms - *no_link_since_ >= limits_.link_wait_ms) failed_ = Reason::kNoLink;
      return;
    case Verdict::kUndecided:
      if (now_ms - *undecided_since_ + undecided_ms_ >= limits_.patience_ms) failed_ = Reason::kPlatformUnreachable;
      return;
  }
}

}  // namespace pawl::firmware
