// Rows of jobs as the ledger sees them, and the one place where a job's row changes its status. Internal to the data
// layer.
#pragma once

#include "platform/core/ledger.h"
#include "platform/io/data/campaigns.h"
#include "platform/io/data/jobs.h"

namespace pawl::data {

struct JobRow {
  Job job;
  platform::JobView view;
  CampaignState campaign_state{};
  std::string cancel_reason;
  Digest artifact{};
  std::uint64_t artifact_bytes = 0;
  bool newest = false;   // of its campaign and device
  bool to_send = false;  // a connected device must hear of it
};

CampaignState ParseCampaignState(std::string_view text);  // precondition: Text() of one; for columns

Result<std::optional<JobRow>> FindJob(sql::Tx& tx, std::string_view id);
Result<JobRow> NeedJob(sql::Tx& tx, std::string_view id);                         // errors: not found
Result<std::optional<JobRow>> NewestJobOf(sql::Tx& tx, std::string_view device);  // the highest n
Result<std::optional<JobRow>> JobByNumber(sql::Tx& tx, std::string_view device, std::uint64_t n);
// Rows that `where` names (over jobs j, releases r, artifacts a, campaigns c, devices d), for internal loops.
Result<std::vector<JobRow>> FindJobs(sql::Tx& tx, std::string_view where, std::span<const sql::Arg> args);

// Writes what changed, emits the event of a new status, completes the campaign that has no open job left.
Status StoreJob(sql::Tx& tx, const JobRow& before, const platform::JobView& after, const Actor& actor);

struct NewJob {
  std::string_view device;
  std::string_view campaign;
  std::string_view release;
  std::int64_t expires_ms = 0;
};
// A queued job with the device's next number. Errors: conflict (it has an open one: the database says so).
Result<std::string> InsertJob(sql::Tx& tx, const NewJob& job, const Actor& actor);

// Asks for the cancel, or cancels what no device knows of. What is past cancelling stays as it is.
Status CancelOpenJob(sql::Tx& tx, const JobRow& row, const Actor& actor, std::string_view reason);
Status LoseOpenJob(sql::Tx& tx, std::string_view device, std::string_view reason);
// A new job for the target of this one. Errors: conflict, as RetryJob.
Result<std::string> RetryRow(sql::Tx& tx, const JobRow& row, const Actor& actor);

// All running campaigns pause; a person resumes them.
Status PauseAllCampaigns(sql::Tx& tx, std::string_view reason);

}  // namespace pawl::data
