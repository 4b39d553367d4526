// Campaigns: one release going to many devices, all at once in this version.
#pragma once

#include <array>
#include <variant>

#include "platform/core/job_status.h"
#include "platform/io/data/devices.h"
#include "platform/io/data/jobs.h"

namespace pawl::data {

enum class CampaignState : std::uint8_t { kRunning, kPaused, kCancelled, kComplete };
std::string_view Text(CampaignState state);

inline constexpr std::size_t kMaxTargets = 100000;
inline constexpr std::int64_t kJobLifeS = 14 * 24 * 3600;

struct CampaignSpec {
  std::string name;
  std::string release;
  std::variant<std::vector<std::string>, DeviceFilter> targets;  // device ids, or a filter that is applied once, now
  std::int64_t job_life_s = kJobLifeS;
};
struct CampaignCounts {
  std::array<std::uint64_t, platform::kJobStatuses> by_status{};  // the newest job of each target
  std::uint64_t timed_out = 0;                                    // those marked, whatever their status
  std::uint64_t permitted = 0;                                    // started, for ever, over all jobs
  std::uint64_t of(JobStatus status) const { return by_status[static_cast<std::size_t>(status)]; }
};
struct Campaign {
  std::string id;
  std::string name;
  std::string release;
  CampaignState state = CampaignState::kRunning;
  std::string reason;   // of paused or cancelled
  std::string targets;  // as asked for, a JSON object: {"devices": [...]} or {"filter": {...}}
  std::uint64_t target_count = 0;
  CampaignCounts counts;
  std::int64_t created_ms = 0;
  std::string created_by;
};

// Stores the campaign with one queued job for each target. Errors: not found (release, device); conflict (not
// published; devices of another class, decommissioned, or with an open job: the detail names up to ten); invalid
// argument.
Result<Campaign> CreateCampaign(sql::Tx& tx, const Actor& actor, const CampaignSpec& spec);
Result<Campaign> GetCampaign(sql::Tx& tx, std::string_view id);  // errors: not found
Result<Page<Campaign>> ListCampaigns(sql::Tx& tx, const PageRequest& page);

// Paused: no new offers and no permits; what a device has begun to download it goes on downloading.
// Cancelled: as paused, for ever, and every open job is cancelled.
// Errors: not found; conflict (the state does not allow it). The same state again is no error.
Result<Campaign> PauseCampaign(sql::Tx& tx, const Actor& actor, std::string_view id, std::string_view reason);
Result<Campaign> ResumeCampaign(sql::Tx& tx, const Actor& actor, std::string_view id, std::string_view reason);
Result<Campaign> CancelCampaign(sql::Tx& tx, const Actor& actor, std::string_view id, std::string_view reason);

struct RetrySpec {
  std::vector<JobStatus> statuses = {JobStatus::kRefused, JobStatus::kRolledBack, JobStatus::kLost};
  bool timed_out = true;  // those marked, too
};
// New jobs for those targets whose newest job fits. A complete campaign runs again. Returns the new jobs.
Result<std::vector<Job>> RetryCampaign(sql::Tx& tx, const Actor& actor, std::string_view id,
                                       const RetrySpec& spec = {});

}  // namespace pawl::data
