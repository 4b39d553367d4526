// Jobs: one device's part in a campaign.
#pragma once

#include "platform/core/job_status.h"
#include "platform/io/data/common.h"
#include "wire/messages.h"

namespace pawl::data {

using platform::JobStatus;

struct JobProgress {
  std::uint64_t bytes = 0;
  std::uint64_t total = 0;
  std::int64_t at_ms = 0;
};
struct Job {
  std::string id;       // opaque
  std::uint64_t n = 0;  // per device, increasing
  std::string device;
  std::string campaign;
  std::string release;
  std::string version;
  JobStatus status = JobStatus::kQueued;
  bool timed_out = false;   // a mark, not a state: no acknowledgement in time
  bool permitted = false;   // a permit was granted: counted as started, for ever
  bool cancelling = false;  // cancel asked for, the device has not confirmed it yet
  Reason reason = Reason::kNone;
  std::string detail;
  std::vector<wire::Step> steps;  // device time
  std::optional<JobProgress> progress;
  std::string waiting;  // what it waits for, one sentence; empty: nothing
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;
  std::int64_t expires_ms = 0;
};

struct JobFilter {
  std::string campaign = {}, device = {};  // empty: any
  std::optional<JobStatus> status = {};
  bool timed_out_only = false;
};
Result<Job> GetJob(sql::Tx& tx, std::string_view id);  // errors: not found
Result<Page<Job>> ListJobs(sql::Tx& tx, const JobFilter& filter, const PageRequest& page);
// The device's job with the highest number, if it ever had one: its open job, else the last that ended.
Result<std::optional<Job>> LatestJob(sql::Tx& tx, std::string_view device);
// The device's open job, if it has one.
Result<std::optional<Job>> CurrentJob(sql::Tx& tx, std::string_view device);

// A new job (new n) for the same device and release. Errors: not found; conflict (succeeded, or open and not timed out,
// or the device has another open job, or the campaign is cancelled). An open, timed-out one becomes lost.
Result<Job> RetryJob(sql::Tx& tx, const Actor& actor, std::string_view id);
// A queued job is cancelled at once; one that the device may have, when the device confirms.
// Errors: not found; conflict, if it is over already.
Result<Job> CancelJob(sql::Tx& tx, const Actor& actor, std::string_view id, std::string_view reason);
// The operator gives the job up: terminal, until the device itself tells a truth about it. Errors: as CancelJob.
Result<Job> LoseJob(sql::Tx& tx, const Actor& actor, std::string_view id, std::string_view reason);

// --- For the platform's own clockwork ---

inline constexpr std::int64_t kAcknowledgeWithinS = 60;

// Marks jobs that a connected, active device has not acknowledged in `within_s`, and cancels those that expired; an
// alert each. Returns how many. Call it every second or so.
Result<std::size_t> MarkTimedOut(sql::Tx& tx, std::int64_t within_s = kAcknowledgeWithinS);

}  // namespace pawl::data
