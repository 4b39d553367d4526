#include "platform/core/job_status.h"

#include <algorithm>

namespace pawl::platform {
namespace {

constexpr bool InOrder() {
  for (std::size_t i = 0; i < kJobRules.size(); ++i) {
    if (kJobRules[i].status != static_cast<JobStatus>(i)) return false;
  }
  return true;
}
static_assert(InOrder(), "RuleOf looks a status up by its number");

}  // namespace

std::optional<JobStatus> ParseJobStatus(std::string_view text) {
  const auto* found = std::ranges::find(kJobRules, text, &JobRule::text);
  if (found == kJobRules.end()) return std::nullopt;
  return found->status;
}

JobStatus FromPhase(wire::Phase phase) {
  switch (phase) {
    case wire::Phase::kAccepted:
      return JobStatus::kAccepted;
    case wire::Phase::kDownloading:
      return JobStatus::kDownloading;
    case wire::Phase::kVerified:
      return JobStatus::kVerified;
    case wire::Phase::kCommitted:
      return JobStatus::kCommitted;
    case wire::Phase::kTrial:
      return JobStatus::kTrial;
    case wire::Phase::kSucceeded:
      return JobStatus::kSucceeded;
    case wire::Phase::kRolledBack:
      return JobStatus::kRolledBack;
    case wire::Phase::kRefused:
      return JobStatus::kRefused;
    case wire::Phase::kCancelled:
      return JobStatus::kCancelled;
  }
  return JobStatus::kQueued;
}

}  // namespace pawl::platform
