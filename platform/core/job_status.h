// What a job can be, as the platform sees it: a lattice that a job only climbs, and what may be done at each step.
// Pure. Source: docs/spec/protocol.md, "Job states"; a test holds that table against kJobRules.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "wire/messages.h"

namespace pawl::platform {

// In the order of the lattice: merging two truths takes the higher one, so order, loss and repetition of messages do
// not matter. *rolled back* is the highest: a rollback is never hidden by another report. *lost* is the operator's word
// and yields to any last word of the device.
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

enum class Cancelling : std::uint8_t {
  kNow,    // the device never heard of it
  kAsk,    // the device must confirm
  kNever,  // it is too late, or over
};
enum class Retrying : std::uint8_t {
  kNever,
  kIfTimedOut,  // the open job becomes lost
  kYes,
};

struct JobRule {
  JobStatus status;
  std::string_view text;
  bool terminal;
  Cancelling cancel;
  bool may_be_lost;  // by the operator
  Retrying retry;
};
inline constexpr std::array<JobRule, kJobStatuses> kJobRules = {{
    {JobStatus::kQueued, "queued", false, Cancelling::kNow, true, Retrying::kNever},
    {JobStatus::kOffered, "offered", false, Cancelling::kAsk, true, Retrying::kIfTimedOut},
    {JobStatus::kAccepted, "accepted", false, Cancelling::kAsk, true, Retrying::kIfTimedOut},
    {JobStatus::kDownloading, "downloading", false, Cancelling::kAsk, true, Retrying::kIfTimedOut},
    {JobStatus::kVerified, "verified", false, Cancelling::kAsk, true, Retrying::kIfTimedOut},
    {JobStatus::kCommitted, "committed", false, Cancelling::kNever, true, Retrying::kNever},
    {JobStatus::kTrial, "trial", false, Cancelling::kNever, true, Retrying::kNever},
    {JobStatus::kLost, "lost", true, Cancelling::kNever, false, Retrying::kYes},
    {JobStatus::kRefused, "refused", true, Cancelling::kNever, false, Retrying::kYes},
    {JobStatus::kCancelled, "cancelled", true, Cancelling::kNever, false, Retrying::kYes},
    {JobStatus::kSucceeded, "succeeded", true, Cancelling::kNever, false, Retrying::kNever},
    {JobStatus::kRolledBack, "rolled_back", true, Cancelling::kNever, false, Retrying::kYes},
}};
constexpr const JobRule& RuleOf(JobStatus status) { return kJobRules[static_cast<std::size_t>(status)]; }

constexpr std::string_view Text(JobStatus status) { return RuleOf(status).text; }
std::optional<JobStatus> ParseJobStatus(std::string_view text);
JobStatus FromPhase(wire::Phase phase);
constexpr bool IsTerminal(JobStatus status) { return RuleOf(status).terminal; }
constexpr JobStatus Merge(JobStatus a, JobStatus b) { return a < b ? b : a; }

}  // namespace pawl::platform
