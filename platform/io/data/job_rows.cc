#include "platform/io/data/job_rows.h"

#include "platform/io/data/events.h"
#include "platform/io/data/json_text.h"
#include "platform/io/data/rows.h"
#include "wire/messages.h"

namespace pawl::data {
namespace {

constexpr std::string_view kSelect =
    "SELECT j.id, j.n, j.device, j.campaign, j.release, r.version, j.status, j.timed_out, j.permitted, j.cancelling, "
    "j.reason, j.detail, j.steps, j.progress_bytes, j.progress_ms, j.waiting, j.created_ms, j.updated_ms, "
    "j.expires_ms, "
    "j.trial_before, j.trial, j.cancel_reason, r.manifest_digest, j.newest, a.digest, a.bytes, c.state, d.state, "
    "d.connected, j.to_send FROM jobs j JOIN releases r ON r.id = j.release JOIN artifacts a ON a.digest = r.artifact "
    "JOIN campaigns c ON c.id = j.campaign JOIN devices d ON d.id = j.device ";

// What an open job waits for, when nothing else was noted.
std::string WaitingFor(const Job& job, CampaignState campaign, std::string_view device_state, bool connected) {
  if (platform::IsTerminal(job.status)) return {};
  if (device_state != Text(DeviceState::kActive)) return "the device is " + std::string(device_state);
  if (!connected) return "the device is not connected";
  if (job.cancelling) return "the device has not confirmed the cancel yet";
  if (campaign == CampaignState::kPaused && job.status <= JobStatus::kVerified) return "the campaign is paused";
  if (job.timed_out) return "the device has not acknowledged in time";
  return {};
}

JobRow ToRow(const sql::Row& row) {
  JobRow out;
  Job& job = out.job;
  job.id = row.String(0);
  job.n = row.U64(1);
  job.device = row.String(2);
  job.campaign = row.String(3);
  job.release = row.String(4);
  job.version = row.String(5);
  job.status = platform::ParseJobStatus(row.Text(6)).value_or(JobStatus::kQueued);
  job.timed_out = row.Bool(7);
  job.permitted = row.Bool(8);
  job.cancelling = row.Bool(9);
  job.reason = static_cast<Reason>(row.Int(10));
  job.detail = row.String(11);
  job.steps = DecodeSteps(row.Text(12));
  out.artifact_bytes = row.U64(25);
  if (!row.IsNull(14)) job.progress = JobProgress{row.U64(13), out.artifact_bytes, row.Int(14)};
  job.created_ms = row.Int(16);
  job.updated_ms = row.Int(17);
  job.expires_ms = row.Int(18);
  out.cancel_reason = row.String(21);
  out.newest = row.Bool(23);
  out.to_send = row.Bool(29);
  out.artifact = row.Fixed<32>(24);
  out.campaign_state = ParseCampaignState(row.Text(26));
  job.waiting = row.String(15);
  if (job.waiting.empty()) job.waiting = WaitingFor(job, out.campaign_state, row.Text(27), row.Bool(28));
  out.view = {.n = job.n,
              .manifest_digest = row.Fixed<32>(22),
              .image_digest = out.artifact,  // the payload is raw in this version: image and artifact are the same
              .status = job.status,
              .timed_out = job.timed_out,
              .cancelling = job.cancelling,
              .permitted = job.permitted,
              .trial_before = row.U32(19),
              .trial = row.U32(20),
              .reason = job.reason,
              .detail = job.detail,
              .steps = job.steps};
  return out;
}

EventKind EventOf(JobStatus status) {
  constexpr EventKind kKinds[] = {EventKind::kJobCreated,     EventKind::kJobOffered,   EventKind::kJobAccepted,
                                  EventKind::kJobDownloading, EventKind::kJobVerified,  EventKind::kJobCommitted,
                                  EventKind::kJobTrial,       EventKind::kJobLost,      EventKind::kJobRefused,
                                  EventKind::kJobCancelled,   EventKind::kJobSucceeded, EventKind::kJobRolledBack};
  static_assert(std::size(kKinds) == platform::kJobStatuses);
  return kKinds[static_cast<std::size_t>(status)];
}

std::string Sentence(const Job& job, const platform::JobView& after) {
  std::string text = job.device + ": job " + std::to_string(job.n) + " (" + job.version + ") ";
  text += after.status == JobStatus::kRolledBack ? "rolled back" : std::string(Text(after.status));
  if (after.reason != Reason::kNone) text.append(": ").append(Text(after.reason));
  if (!after.detail.empty()) text.append(after.reason == Reason::kNone ? ": " : ", ").append(after.detail);
  return text;
}

Status EmitStatus(sql::Tx& tx, const Job& job, const platform::JobView& after, const Actor& actor) {
  PAWL_TRY(Emit(tx, {.kind = EventOf(after.status),
                     .text = Sentence(job, after),
                     .device = job.device,
                     .campaign = job.campaign,
                     .job = job.id,
                     .actor = actor.name,
                     .data = JsonObject({{"n", job.n},
                                         {"version", job.version},
                                         {"status", Text(after.status)},
                                         {"reason", std::uint64_t{static_cast<std::uint16_t>(after.reason)}},
                                         {"detail", after.detail}})}));
  return {};
}

Status ReopenCampaign(sql::Tx& tx, std::string_view campaign, const Actor& actor) {
  PAWL_ASSIGN(const auto changed,
              tx.Execute("UPDATE campaigns SET state = 'running' WHERE id = ? AND state = 'complete'", {campaign}));
  if (changed == 0) return {};
  PAWL_ASSIGN(const Campaign again, GetCampaign(tx, campaign));
  PAWL_TRY(Emit(tx, {.kind = EventKind::kCampaignResumed,
                     .text = "campaign " + again.name + " runs again: a job is tried again",
                     .campaign = campaign,
                     .actor = actor.name}));
  return {};
}

Status CompleteIfDone(sql::Tx& tx, std::string_view campaign) {
  PAWL_ASSIGN(const auto changed,
              tx.Execute("UPDATE campaigns SET state = 'complete', reason = '' WHERE id = ? AND state IN ('running', "
                         "'paused') AND NOT EXISTS (SELECT 1 FROM jobs WHERE campaign = ? AND newest = 1 AND open = 1)",
                         {campaign, campaign}));
  if (changed == 0) return {};
  PAWL_ASSIGN(const Campaign done, GetCampaign(tx, campaign));
  PAWL_TRY(Emit(
      tx, {.kind = EventKind::kCampaignComplete,
           .text = "campaign " + done.name + " is complete: " + std::to_string(done.counts.of(JobStatus::kSucceeded)) +
                   " of " + std::to_string(done.target_count) + " succeeded",
           .campaign = campaign}));
  return {};
}

}  // namespace

Result<std::vector<JobRow>> FindJobs(sql::Tx& tx, std::string_view where, std::span<const sql::Arg> args) {
  return tx.All(std::string(kSelect).append(where), args, ToRow);
}

Result<std::optional<JobRow>> FindJob(sql::Tx& tx, std::string_view id) {
  return tx.One(std::string(kSelect) + "WHERE j.id = ?", {id}, ToRow);
}

Result<JobRow> NeedJob(sql::Tx& tx, std::string_view id) {
  PAWL_ASSIGN(auto row, FindJob(tx, id));
  if (!row) return Fail(Reason::kNotFound, "no job \"" + std::string(id) + "\"");
  return *std::move(row);
}

Result<std::optional<JobRow>> NewestJobOf(sql::Tx& tx, std::string_view device) {
  return tx.One(std::string(kSelect) + "WHERE j.device = ? ORDER BY j.n DESC LIMIT 1", {device}, ToRow);
}

Result<std::optional<JobRow>> JobByNumber(sql::Tx& tx, std::string_view device, std::uint64_t n) {
  return tx.One(std::string(kSelect) + "WHERE j.device = ? AND j.n = ?", {device, n}, ToRow);
}

Status StoreJob(sql::Tx& tx, const JobRow& before, const platform::JobView& after, const Actor& actor) {
  if (after == before.view) return {};
  const bool terminal = platform::IsTerminal(after.status);
  const bool new_status = after.status != before.view.status;
  PAWL_TRY(
      tx.Execute("UPDATE jobs SET status = ?, open = ?, timed_out = ?, cancelling = ?, permitted = ?, trial_before = "
                 "?, trial = ?, "
                 "reason = ?, detail = ?, steps = ?, updated_ms = ?, waiting = CASE WHEN ? THEN '' ELSE waiting END, "
                 "to_send = CASE WHEN ? THEN 0 ELSE to_send END WHERE id = ?",
                 {Text(after.status), !terminal, after.timed_out, after.cancelling, after.permitted, after.trial_before,
                  after.trial, static_cast<std::uint16_t>(after.reason), after.detail, EncodeSteps(after.steps),
                  tx.now_ms(), new_status, terminal, before.job.id}));
  if (!new_status) return {};
  PAWL_TRY(EmitStatus(tx, before.job, after, actor));
  if (terminal) return CompleteIfDone(tx, before.job.campaign);
  return {};
}

Result<std::string> InsertJob(sql::Tx& tx, const NewJob& job, const Actor& actor) {
  PAWL_ASSIGN(const auto n, tx.One("UPDATE devices SET highest_n = highest_n + 1 WHERE id = ? AND highest_n < ? "
                                   "RETURNING highest_n",
                                   {job.device, wire::kMaxNumber}, [](const sql::Row& row) { return row.U64(0); }));
  if (!n) return Fail(Reason::kConflict, "the job numbers of " + std::string(job.device) + " are used up");
  PAWL_TRY(tx.Execute("UPDATE jobs SET newest = 0 WHERE campaign = ? AND device = ?", {job.campaign, job.device}));
  const std::string id = NewId(tx.now_ms());
  // Only a connected device must hear of it now; the others are told when they say hello.
  PAWL_TRY(tx.Execute(
      "INSERT INTO jobs (id, device, n, campaign, release, status, open, newest, to_send, expires_ms, created_ms, "
      "updated_ms) VALUES (?, ?, ?, ?, ?, 'queued', 1, 1, (SELECT connected FROM devices WHERE id = ?), ?, ?, ?)",
      {id, job.device, *n, job.campaign, job.release, job.device, job.expires_ms, tx.now_ms(), tx.now_ms()}));
  PAWL_ASSIGN(const JobRow row, NeedJob(tx, id));
  PAWL_TRY(EmitStatus(tx, row.job, row.view, actor));
  return id;
}

Status CancelOpenJob(sql::Tx& tx, const JobRow& row, const Actor& actor, std::string_view reason) {
  platform::JobView after = row.view;
  switch (platform::RuleOf(after.status).cancel) {
    case platform::Cancelling::kNever:
      return {};
    case platform::Cancelling::kNow:
      after.status = JobStatus::kCancelled;
      after.reason = Reason::kCancelled;
      after.detail = reason;
      return StoreJob(tx, row, after, actor);
    case platform::Cancelling::kAsk:
      break;
  }
  if (after.cancelling) return {};
  PAWL_TRY(
      tx.Execute("UPDATE jobs SET cancelling = 1, cancel_reason = ?, to_send = (SELECT connected FROM devices "
                 "WHERE id = jobs.device), updated_ms = ? WHERE id = ?",
                 {reason, tx.now_ms(), row.job.id}));
  return {};
}

Status LoseOpenJob(sql::Tx& tx, std::string_view device, std::string_view reason) {
  PAWL_ASSIGN(const auto row, NewestJobOf(tx, device));
  if (!row || platform::IsTerminal(row->view.status)) return {};
  platform::JobView after = row->view;
  after.status = JobStatus::kLost;
  after.detail = reason;
  after.cancelling = false;
  return StoreJob(tx, *row, after, Platform());
}

Result<std::string> RetryRow(sql::Tx& tx, const JobRow& row, const Actor& actor) {
  const Job& job = row.job;
  const std::string name = "job " + std::to_string(job.n) + " of " + job.device;
  const platform::Retrying rule = platform::RuleOf(job.status).retry;
  const bool fits = rule == platform::Retrying::kYes || (rule == platform::Retrying::kIfTimedOut && job.timed_out);
  if (!fits) return Fail(Reason::kConflict, name + " is " + std::string(Text(job.status)) + ": nothing to try again");
  if (!row.newest) return Fail(Reason::kConflict, name + " was tried again already");
  if (row.campaign_state == CampaignState::kCancelled) {
    return Fail(Reason::kConflict, name + ": its campaign was cancelled");
  }
  PAWL_ASSIGN(const auto newest, NewestJobOf(tx, job.device));
  if (newest->job.id != job.id && !platform::IsTerminal(newest->job.status)) {
    return Fail(Reason::kConflict, job.device + " has an open job already: number " + std::to_string(newest->job.n));
  }
  // The old job is lost only after the new one stands, or the campaign would look complete in between; but a device
  // has one open job at most, so the old one is closed first, without completing anything.
  if (!platform::IsTerminal(job.status)) {
    PAWL_TRY(tx.Execute("UPDATE jobs SET open = 0, newest = 0, to_send = 0 WHERE id = ?", {job.id}));
  }
  PAWL_TRY(ReopenCampaign(tx, job.campaign, actor));
  PAWL_ASSIGN(const auto life_s, tx.One("SELECT job_life_s FROM campaigns WHERE id = ?", {job.campaign},
                                        [](const sql::Row& r) { return r.Int(0); }));
  PAWL_ASSIGN(
      std::string id,
      InsertJob(tx, {job.device, job.campaign, job.release, tx.now_ms() + life_s.value_or(kJobLifeS) * 1000}, actor));
  if (!platform::IsTerminal(job.status)) {
    platform::JobView lost = row.view;
    lost.status = JobStatus::kLost;
    lost.detail = "tried again";
    lost.cancelling = false;
    PAWL_TRY(StoreJob(tx, row, lost, actor));
  }
  return id;
}

}  // namespace pawl::data
