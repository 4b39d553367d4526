// What a job can be, as the platform sees it: a lattice that a job only climbs. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "wire/messages.h"

namespace pawl::platform {

// In the order of the lattice: merging two truths takes the higher one, so order, loss and repetition of messages do
// not matter. *rolled back* is the highest: a rollback is never hidden by another report. *lost* is the operator's word
// and yields to any truth of the device.
enum class JobStatus : std::uint8_t {
  kQueued,   // stored, not sent yet
  kOffered,  // sent; not acknowledged yet
  kAccepted,
  kDownloading,
  kVerified,
  kCommitted,
  kTrial,
  kLost,
  kRefused,
  kCancelled,
  kSucceeded,
  kRolledBack,
};
inline constexpr std::size_t kJobStatuses = 12;

std::string_view Text(JobStatus status);  // "queued", ..., as wire::Text(Phase) where there is one
std::optional<JobStatus> ParseJobStatus(std::string_view text);
JobStatus FromPhase(wire::Phase phase);
constexpr bool IsTerminal(JobStatus status) { return status >= JobStatus::kLost; }
constexpr JobStatus Merge(JobStatus a, JobStatus b) { return a < b ? b : a; }

}  // namespace pawl::platform
