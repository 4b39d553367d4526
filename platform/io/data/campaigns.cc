#include "platform/io/data/campaigns.h"

#include <algorithm>
#include <set>

#include "platform/io/data/audit.h"
#include "platform/io/data/events.h"
#include "platform/io/data/job_rows.h"
#include "platform/io/data/json_text.h"
#include "platform/io/data/releases.h"
#include "platform/io/data/rows.h"

namespace pawl::data {
namespace {

constexpr std::string_view kStates[] = {"running", "paused", "cancelled", "complete"};
constexpr std::size_t kMaxNamed = 10;  // devices in one error's text
constexpr std::int64_t kLongestJobLifeS = std::int64_t{366} * 86400;

constexpr std::string_view kColumns =
    "SELECT id, name, release, state, reason, targets, target_count, created_ms, created_by FROM campaigns";

Campaign ToCampaign(const sql::Row& row) {
  Campaign campaign;
  campaign.id = row.String(0);
  campaign.name = row.String(1);
  campaign.release = row.String(2);
  campaign.state = ParseCampaignState(row.Text(3));
  campaign.reason = row.String(4);
  campaign.targets = row.String(5);
  campaign.target_count = row.U64(6);
  campaign.created_ms = row.Int(7);
  campaign.created_by = row.String(8);
  return campaign;
}

Status Count(sql::Tx& tx, Campaign& campaign) {
  PAWL_TRY(
      tx.Query("SELECT status, COUNT(*), SUM(timed_out) FROM jobs WHERE campaign = ? AND newest = 1 GROUP BY status",
               {campaign.id}, [&](const sql::Row& row) -> Status {
                 const auto status = platform::ParseJobStatus(row.Text(0));
                 if (status) campaign.counts.by_status[static_cast<std::size_t>(*status)] = row.U64(1);
                 campaign.counts.timed_out += row.U64(2);
                 return {};
               }));
  PAWL_ASSIGN(const auto permitted, tx.One("SELECT COUNT(*) FROM jobs WHERE campaign = ? AND permitted = 1",
                                           {campaign.id}, [](const sql::Row& row) { return row.U64(0); }));
  campaign.counts.permitted = permitted.value_or(0);
  return {};
}

struct Targets {
  std::vector<std::string> devices;
  std::string described;
};
Result<Targets> Resolve(sql::Tx& tx, const CampaignSpec& spec, const Release& release) {
  if (const auto* ids = std::get_if<std::vector<std::string>>(&spec.targets)) {
    const std::set<std::string> unique(ids->begin(), ids->end());
    return Targets{{unique.begin(), unique.end()}, "{\"devices\":" + EncodeTexts(*ids) + "}"};
  }
  DeviceFilter filter = std::get<DeviceFilter>(spec.targets);
  if (filter.class_name.empty()) filter.class_name = release.class_name;
  PAWL_ASSIGN(auto devices, MatchDevices(tx, filter));
  return Targets{std::move(devices), "{\"filter\":" + EncodeFilter(filter) + "}"};
}

// Collects the devices that stand against a campaign, by what is wrong with them.
class Objections {
 public:
  void Add(std::string_view device, std::string_view why) {
    ++count_;
    if (count_ <= kMaxNamed) text_.append(text_.empty() ? "" : ", ").append(device).append(" ").append(why);
  }
  Status Answer() const {
    if (count_ == 0) return {};
    std::string text = text_;
    if (count_ > kMaxNamed) text += " and " + std::to_string(count_ - kMaxNamed) + " more";
    return Fail(Reason::kConflict, text);
  }

 private:
  std::size_t count_ = 0;
  std::string text_;
};

Status CheckTargets(sql::Tx& tx, const std::vector<std::string>& devices, const Release& release) {
  if (devices.empty()) return Fail(Reason::kConflict, "the campaign has no target: no device matches");
  if (devices.size() > kMaxTargets) {
    return Fail(Reason::kInvalidArgument, "at most " + std::to_string(kMaxTargets) + " targets");
  }
  Objections objections;
  for (const std::string& device : devices) {
    struct About {
      std::string class_name;
      std::string state;
      bool busy = false;
    };
    PAWL_ASSIGN(const auto about,
                tx.One("SELECT class, state, EXISTS (SELECT 1 FROM jobs j WHERE j.device = d.id AND j.open = 1) "
                       "FROM devices d WHERE d.id = ?",
                       {device}, [](const sql::Row& row) { return About{row.String(0), row.String(1), row.Bool(2)}; }));
    if (!about) return Fail(Reason::kNotFound, "no device \"" + device + "\"");
    if (about->class_name != release.class_name) {
      objections.Add(device, "is of class " + about->class_name);
    } else if (about->state == Text(DeviceState::kDecommissioned) || about->state == Text(DeviceState::kQuarantined)) {
      objections.Add(device, "is " + about->state);
    } else if (about->busy) {
      objections.Add(device, "has an open job");
    }
  }
  return objections.Answer();
}

Status EmitAbout(sql::Tx& tx, EventKind kind, const Campaign& campaign, std::string_view what, std::string_view reason,
                 const Actor& actor) {
  std::string text = "campaign " + campaign.name + " " + std::string(what);
  if (!reason.empty()) text.append(": ").append(reason);
  PAWL_TRY(Emit(tx, {.kind = kind, .text = text, .campaign = campaign.id, .actor = actor.name}));
  return {};
}

// docs/spec/protocol.md: paused and running go both ways, cancelled is for ever, complete comes by itself.
bool MayBecome(CampaignState from, CampaignState to) {
  if (to == CampaignState::kCancelled) return from == CampaignState::kRunning || from == CampaignState::kPaused;
  if (to == CampaignState::kPaused) return from == CampaignState::kRunning;
  return to == CampaignState::kRunning && from == CampaignState::kPaused;
}

struct Change {
  CampaignState to;
  EventKind event;
  std::string_view action;
};

// True: it is another state now.
Result<bool> SetState(sql::Tx& tx, const Actor& actor, const Campaign& campaign, const Change& change,
                      std::string_view reason) {
  PAWL_TRY(CheckReason(reason));
  if (campaign.state == change.to) return false;
  if (!MayBecome(campaign.state, change.to)) {
    return Fail(Reason::kConflict, "campaign " + campaign.name + " is " + std::string(Text(campaign.state)));
  }
  PAWL_TRY(
      tx.Execute("UPDATE campaigns SET state = ?, reason = ? WHERE id = ?", {Text(change.to), reason, campaign.id}));
  PAWL_TRY(Audit(tx, actor, change.action, campaign.id, JsonObject({{"reason", reason}})));
  PAWL_TRY(EmitAbout(tx, change.event, campaign, Text(change.to), reason, actor));
  return true;
}

constexpr Change kPause = {CampaignState::kPaused, EventKind::kCampaignPaused, "campaign.pause"};
constexpr Change kResume = {CampaignState::kRunning, EventKind::kCampaignResumed, "campaign.resume"};
constexpr Change kCancel = {CampaignState::kCancelled, EventKind::kCampaignCancelled, "campaign.cancel"};

}  // namespace

std::string_view Text(CampaignState state) { return kStates[static_cast<std::size_t>(state)]; }

CampaignState ParseCampaignState(std::string_view text) {
  return static_cast<CampaignState>(std::ranges::find(kStates, text) - kStates);
}

Result<Campaign> CreateCampaign(sql::Tx& tx, const Actor& actor, const CampaignSpec& spec) {
  if (spec.name.empty() || spec.name.size() > kMaxNameBytes) {
    return Fail(Reason::kInvalidArgument, "a campaign's name has 1 to 128 bytes");
  }
  if (spec.job_life_s < 1 || spec.job_life_s > kLongestJobLifeS) {
    return Fail(Reason::kInvalidArgument, "a job's life is 1 s to 366 days");
  }
  PAWL_ASSIGN(const Release release, GetRelease(tx, spec.release));
  if (release.state != ReleaseState::kPublished) {
    return Fail(Reason::kConflict,
                "release " + release.version + " is not published: it is " + std::string(Text(release.state)));
  }
  PAWL_ASSIGN(const Targets targets, Resolve(tx, spec, release));
  PAWL_TRY(CheckTargets(tx, targets.devices, release));

  const std::string id = NewId(tx.now_ms());
  PAWL_TRY(
      tx.Execute("INSERT INTO campaigns (id, name, release, state, targets, target_count, job_life_s, created_ms, "
                 "created_by) VALUES (?, ?, ?, 'running', ?, ?, ?, ?, ?)",
                 {id, spec.name, release.id, targets.described, targets.devices.size(), spec.job_life_s, tx.now_ms(),
                  actor.name}));
  PAWL_TRY(Audit(tx, actor, "campaign.create", id,
                 JsonObject({{"name", spec.name}, {"release", release.id}, {"targets", targets.devices.size()}})));
  PAWL_TRY(Emit(tx, {.kind = EventKind::kCampaignCreated,
                     .text = "campaign " + spec.name + ": " + release.class_name + " " + release.version + " to " +
                             std::to_string(targets.devices.size()) + " devices",
                     .campaign = id,
                     .actor = actor.name}));
  for (const std::string& device : targets.devices) {
    PAWL_TRY(InsertJob(tx, {device, id, release.id, tx.now_ms() + spec.job_life_s * 1000}, actor));
  }
  return GetCampaign(tx, id);
}

Result<Campaign> GetCampaign(sql::Tx& tx, std::string_view id) {
  PAWL_ASSIGN(auto campaign, tx.One(std::string(kColumns) + " WHERE id = ?", {id}, ToCampaign));
  if (!campaign) return Fail(Reason::kNotFound, "no campaign \"" + std::string(id) + "\"");
  PAWL_TRY(Count(tx, *campaign));
  return *std::move(campaign);
}

Result<Page<Campaign>> ListCampaigns(sql::Tx& tx, const PageRequest& page) {
  PAWL_ASSIGN(auto out,
              ListPage(tx, std::string(kColumns) + " WHERE id < ? ORDER BY id DESC LIMIT ?", {NewestFirst(page)}, page,
                       ToCampaign, [](const Campaign& campaign) { return campaign.id; }));
  for (Campaign& campaign : out.items) PAWL_TRY(Count(tx, campaign));
  return out;
}

Result<Campaign> PauseCampaign(sql::Tx& tx, const Actor& actor, std::string_view id, std::string_view reason) {
  PAWL_ASSIGN(const Campaign campaign, GetCampaign(tx, id));
  PAWL_TRY(SetState(tx, actor, campaign, kPause, reason));
  PAWL_TRY(tx.Execute("UPDATE jobs SET to_send = 0 WHERE campaign = ? AND status = 'queued'", {id}));
  return GetCampaign(tx, id);
}

Result<Campaign> ResumeCampaign(sql::Tx& tx, const Actor& actor, std::string_view id, std::string_view reason) {
  PAWL_ASSIGN(const Campaign campaign, GetCampaign(tx, id));
  PAWL_TRY(SetState(tx, actor, campaign, kResume, reason));
  PAWL_TRY(
      tx.Execute("UPDATE jobs SET to_send = (SELECT connected FROM devices d WHERE d.id = jobs.device) "
                 "WHERE campaign = ? AND status = 'queued'",
                 {id}));
  return GetCampaign(tx, id);
}

Result<Campaign> CancelCampaign(sql::Tx& tx, const Actor& actor, std::string_view id, std::string_view reason) {
  PAWL_ASSIGN(const Campaign campaign, GetCampaign(tx, id));
  PAWL_ASSIGN(const bool changed, SetState(tx, actor, campaign, kCancel, reason));
  if (!changed) return campaign;
  const sql::Arg of_campaign[] = {id};
  PAWL_ASSIGN(const auto open, FindJobs(tx, "WHERE j.campaign = ? AND j.open = 1", of_campaign));
  std::string told = "campaign cancelled";
  if (!reason.empty()) told.append(": ").append(reason);
  for (const JobRow& row : open) PAWL_TRY(CancelOpenJob(tx, row, actor, told));
  return GetCampaign(tx, id);
}

Status PauseAllCampaigns(sql::Tx& tx, std::string_view reason) {
  PAWL_ASSIGN(const auto running, tx.All("SELECT id FROM campaigns WHERE state = 'running' ORDER BY id", {},
                                         [](const sql::Row& row) { return row.String(0); }));
  for (const std::string& id : running) PAWL_TRY(PauseCampaign(tx, Platform(), id, reason));
  return {};
}

Result<std::vector<Job>> RetryCampaign(sql::Tx& tx, const Actor& actor, std::string_view id, const RetrySpec& spec) {
  PAWL_ASSIGN(const Campaign campaign, GetCampaign(tx, id));
  if (campaign.state == CampaignState::kCancelled) {
    return Fail(Reason::kConflict, "campaign " + campaign.name + " was cancelled: create a new one");
  }
  const sql::Arg of_campaign[] = {id};
  PAWL_ASSIGN(const auto rows, FindJobs(tx, "WHERE j.campaign = ? AND j.newest = 1 ORDER BY j.device", of_campaign));
  std::vector<Job> jobs;
  for (const JobRow& row : rows) {
    const bool open = !platform::IsTerminal(row.job.status);
    const bool asked = open ? spec.timed_out && row.job.timed_out
                            : std::ranges::find(spec.statuses, row.job.status) != spec.statuses.end();
    if (!asked) continue;
    PAWL_ASSIGN(const std::string retried, RetryRow(tx, row, actor));
    PAWL_ASSIGN(Job job, GetJob(tx, retried));
    jobs.push_back(std::move(job));
  }
  PAWL_TRY(Audit(tx, actor, "campaign.retry", id, JsonObject({{"jobs", std::uint64_t{jobs.size()}}})));
  return jobs;
}

}  // namespace pawl::data
