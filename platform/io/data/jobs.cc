#include "platform/io/data/jobs.h"

#include "platform/io/data/audit.h"
#include "platform/io/data/events.h"
#include "platform/io/data/job_rows.h"
#include "platform/io/data/json_text.h"
#include "platform/io/data/rows.h"

namespace pawl::data {
namespace {

constexpr std::size_t kMaxMarked = 1000;  // in one transaction; the next call goes on

std::string NameOf(const Job& job) { return "job " + std::to_string(job.n) + " of " + job.device; }

Status AuditJob(sql::Tx& tx, const Actor& actor, std::string_view action, const Job& job, std::string_view reason) {
  return Audit(tx, actor, action, job.id, JsonObject({{"device", job.device}, {"n", job.n}, {"reason", reason}}));
}

std::unexpected<Error> CannotNow(const Job& job, std::string_view verb) {
  return Fail(Reason::kConflict,
              NameOf(job) + " is " + std::string(Text(job.status)) + ": it can no longer be " + std::string(verb));
}

Result<Job> Reload(sql::Tx& tx, std::string_view id) {
  PAWL_ASSIGN(JobRow row, NeedJob(tx, id));
  return std::move(row.job);
}

Status MarkUnacknowledged(sql::Tx& tx, const JobRow& row, std::int64_t within_s) {
  platform::JobView after = row.view;
  after.timed_out = true;
  PAWL_TRY(StoreJob(tx, row, after, Platform()));
  PAWL_TRY(Emit(tx, {.kind = EventKind::kJobTimedOut,
                     .text = row.job.device + ": job " + std::to_string(row.job.n) + " (" + row.job.version +
                             ") was not acknowledged within " + std::to_string(within_s) + " s",
                     .device = row.job.device,
                     .campaign = row.job.campaign,
                     .job = row.job.id}));
  return {};
}

Status Expire(sql::Tx& tx, const JobRow& row) {
  // The mark first: it says that this was looked at, whatever the device makes of the cancel.
  PAWL_TRY(tx.Execute("UPDATE jobs SET timed_out = 1, expires_ms = ? WHERE id = ?", {wire::kMaxNumber, row.job.id}));
  PAWL_TRY(
      Emit(tx, {.kind = EventKind::kJobTimedOut,
                .text = row.job.device + ": job " + std::to_string(row.job.n) + " (" + row.job.version + ") expired",
                .device = row.job.device,
                .campaign = row.job.campaign,
                .job = row.job.id}));
  PAWL_ASSIGN(const JobRow marked, NeedJob(tx, row.job.id));
  return CancelOpenJob(tx, marked, Platform(), "the job expired");
}

}  // namespace

Result<Job> GetJob(sql::Tx& tx, std::string_view id) { return Reload(tx, id); }

Result<Page<Job>> ListJobs(sql::Tx& tx, const JobFilter& filter, const PageRequest& page) {
  std::string where = "WHERE j.id < ?";
  std::vector<sql::Arg> args = {NewestFirst(page)};
  if (!filter.campaign.empty()) {
    where += " AND j.campaign = ?";
    args.emplace_back(filter.campaign);
  }
  if (!filter.device.empty()) {
    where += " AND j.device = ?";
    args.emplace_back(filter.device);
  }
  if (filter.status) {
    where += " AND j.status = ?";
    args.emplace_back(Text(*filter.status));
  }
  if (filter.timed_out_only) where += " AND j.timed_out = 1";
  const std::size_t limit = std::clamp<std::size_t>(page.limit, 1, kMaxPage);
  args.emplace_back(limit + 1);
  PAWL_ASSIGN(auto rows, FindJobs(tx, where + " ORDER BY j.id DESC LIMIT ?", args));
  Page<Job> out;
  for (JobRow& row : rows) {
    if (out.items.size() == limit) {
      out.next = out.items.back().id;
      break;
    }
    out.items.push_back(std::move(row.job));
  }
  return out;
}

Result<std::optional<Job>> LatestJob(sql::Tx& tx, std::string_view device) {
  PAWL_ASSIGN(auto row, NewestJobOf(tx, device));
  if (!row) return std::nullopt;
  return std::move(row->job);
}

Result<std::optional<Job>> CurrentJob(sql::Tx& tx, std::string_view device) {
  PAWL_ASSIGN(auto row, NewestJobOf(tx, device));
  if (!row || platform::IsTerminal(row->job.status)) return std::nullopt;
  return std::move(row->job);
}

Result<Job> RetryJob(sql::Tx& tx, const Actor& actor, std::string_view id) {
  PAWL_ASSIGN(const JobRow row, NeedJob(tx, id));
  PAWL_ASSIGN(const std::string retried, RetryRow(tx, row, actor));
  PAWL_TRY(AuditJob(tx, actor, "job.retry", row.job, ""));
  return Reload(tx, retried);
}

Result<Job> CancelJob(sql::Tx& tx, const Actor& actor, std::string_view id, std::string_view reason) {
  PAWL_TRY(CheckReason(reason));
  PAWL_ASSIGN(const JobRow row, NeedJob(tx, id));
  if (platform::RuleOf(row.view.status).cancel == platform::Cancelling::kNever) {
    return CannotNow(row.job, "cancelled");
  }
  PAWL_TRY(CancelOpenJob(tx, row, actor, reason));
  PAWL_TRY(AuditJob(tx, actor, "job.cancel", row.job, reason));
  return Reload(tx, id);
}

Result<Job> LoseJob(sql::Tx& tx, const Actor& actor, std::string_view id, std::string_view reason) {
  PAWL_TRY(CheckReason(reason));
  PAWL_ASSIGN(const JobRow row, NeedJob(tx, id));
  if (!platform::RuleOf(row.view.status).may_be_lost) return CannotNow(row.job, "given up");
  platform::JobView after = row.view;
  after.status = JobStatus::kLost;
  after.detail = reason;
  after.cancelling = false;
  PAWL_TRY(StoreJob(tx, row, after, actor));
  // A connected device is told to stop; another hears it at its next hello.
  PAWL_TRY(
      tx.Execute("UPDATE jobs SET cancel_reason = ?, to_send = (SELECT connected FROM devices WHERE id = ?) "
                 "WHERE id = ?",
                 {reason, row.job.device, id}));
  PAWL_TRY(AuditJob(tx, actor, "job.lost", row.job, reason));
  return Reload(tx, id);
}

Result<std::size_t> MarkTimedOut(sql::Tx& tx, std::int64_t within_s) {
  const sql::Arg late[] = {tx.now_ms() - within_s * 1000, kMaxMarked};
  PAWL_ASSIGN(const auto unacknowledged,
              FindJobs(tx,
                       "WHERE j.status = 'offered' AND j.timed_out = 0 AND j.offered_ms <= ? AND d.connected = 1 "
                       "AND d.state = 'active' ORDER BY j.offered_ms LIMIT ?",
                       late));
  for (const JobRow& row : unacknowledged) PAWL_TRY(MarkUnacknowledged(tx, row, within_s));

  const sql::Arg over[] = {tx.now_ms(), kMaxMarked};
  PAWL_ASSIGN(const auto expired,
              FindJobs(tx, "WHERE j.open = 1 AND j.expires_ms <= ? ORDER BY j.expires_ms LIMIT ?", over));
  for (const JobRow& row : expired) PAWL_TRY(Expire(tx, row));
  return unacknowledged.size() + expired.size();
}

}  // namespace pawl::data
