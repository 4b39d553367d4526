#include "agent/core/self_test_plan.h"

#include <algorithm>

namespace pawl::agent {

SelfTestPlan::SelfTestPlan(std::vector<std::string> names, const TestLimits& limits, std::uint64_t now_ms)
    : names_(std::move(names)), limits_(limits), started_ms_(now_ms) {}

std::optional<std::uint64_t> SelfTestPlan::EndsAt() const {
  if (!limits_.budget_ms) return std::nullopt;
  const std::uint64_t end = started_ms_ + *limits_.budget_ms + undecided_ms_;
  return undecided_since_ ? end + limits_.patience_ms : end;
}

TestNext SelfTestPlan::Next(std::uint64_t now_ms) const {
  if (failed_) return *failed_;
  if (next_ == names_.size()) return TestsDone{};
  const auto end = EndsAt();
  if (end && now_ms >= *end) return TestsFailed{Reason::kTrialBudgetSpent, names_[next_]};
  return RunTest{next_};
}

void SelfTestPlan::NoteUndecided(bool undecided, std::uint64_t now_ms) {
  if (undecided && !undecided_since_) undecided_since_ = now_ms;
  if (undecided || !undecided_since_) return;
  undecided_ms_ = std::min(undecided_ms_ + (now_ms - *undecided_since_), limits_.patience_ms);
  undecided_since_.reset();
}

void SelfTestPlan::Completed(Verdict verdict, std::string_view detail, std::uint64_t now_ms) {
  const std::string& name = names_[next_];
  NoteUndecided(verdict == Verdict::kUndecided, now_ms);
  if (verdict != Verdict::kNoLink) no_link_since_.reset();
  switch (verdict) {
    case Verdict::kPass:
      ++next_;
      return;
    case Verdict::kFail: {
      std::string told = name;
      if (!detail.empty()) told.append(": ").append(detail);
      failed_ = TestsFailed{Reason::kSelfTestFailed, std::move(told)};
      return;
    }
    case Verdict::kAgain:
      return;
    case Verdict::kNoLink:
      if (!no_link_since_) no_link_since_ = now_ms;
      if (now_ms - *no_link_since_ >= limits_.link_wait_ms) failed_ = TestsFailed{Reason::kNoLink, name};
      return;
    case Verdict::kUndecided:
      if (now_ms - undecided_since_.value_or(now_ms) + undecided_ms_ >= limits_.patience_ms) {
        failed_ = TestsFailed{Reason::kPlatformUnreachable, name};
      }
      return;
  }
}

}  // namespace pawl::agent
