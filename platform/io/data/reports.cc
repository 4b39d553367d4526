#include "platform/io/data/reports.h"

#include <algorithm>

#include "platform/core/ledger.h"
#include "platform/io/data/device_rows.h"
#include "platform/io/data/events.h"
#include "platform/io/data/job_rows.h"
#include "platform/io/data/json_text.h"
#include "platform/io/data/releases.h"
#include "platform/io/data/rows.h"
#include "wire/json/json.h"

namespace pawl::data {
namespace {

using platform::DeviceView;
using platform::JobView;

// ---------------------------------------------------------------- the device's row

struct Sender {
  std::string id;
  DeviceState state{};
  bool pinned = false;
  bool connected = false;
  DeviceView view;
  Uuid vendor{};
  Uuid cls{};
  std::uint64_t board_revision = 0;
  std::uint32_t floor = 0;
  std::string operator_attributes;
  std::string told_attributes;
  std::string via;
};

Result<std::optional<Sender>> FindSender(sql::Tx& tx, std::string_view id) {
  return tx.One(
      "SELECT id, state, pin IS NOT NULL, connected, session, boots, nonces, highest_n, told, told_vendor, told_class, "
      "board_revision, floor, operator_attributes, told_attributes, via FROM devices WHERE id = ?",
      {id}, [](const sql::Row& row) {
        Sender sender;
        sender.id = row.String(0);
        sender.state = ParseDeviceState(row.Text(1)).value_or(DeviceState::kQuarantined);
        sender.pinned = row.Bool(2);
        sender.connected = row.Bool(3);
        sender.view.session = static_cast<wire::Session>(row.Int(4));
        sender.view.boots = Split<16>(row.Bytes(5));
        sender.view.nonces = Split<16>(row.Bytes(6));
        sender.view.highest_n = row.U64(7);
        if (auto told = wire::DecodeState(row.Text(8))) sender.view.told = *std::move(told);
        sender.vendor = row.Fixed<16>(9);
        sender.cls = row.Fixed<16>(10);
        sender.board_revision = row.U64(11);
        sender.floor = row.U32(12);
        sender.operator_attributes = row.String(13);
        sender.told_attributes = row.String(14);
        sender.via = row.String(15);
        return sender;
      });
}

// An active device. A claimed one whose key is pinned came through the broker with that key: its first contact.
Result<std::optional<Sender>> FindActive(sql::Tx& tx, std::string_view id) {
  PAWL_ASSIGN(auto sender, FindSender(tx, id));
  if (!sender) return std::nullopt;
  if (sender->state == DeviceState::kClaimed && sender->pinned) {
    PAWL_TRY(SetDeviceState(tx, {"device " + sender->id}, id, DeviceState::kActive, EventKind::kDeviceActive, ""));
    sender->state = DeviceState::kActive;
  }
  if (sender->state != DeviceState::kActive) return std::nullopt;
  return sender;
}

wire::Session NewSession() {
  std::array<std::uint8_t, 8> bytes{};
  RandomBytes(bytes);
  return LoadBe<std::uint64_t>(bytes) | 1;  // never 0
}

// A hello without it takes it away: the device speaks for itself again.
Status StoreVia(sql::Tx& tx, const Sender& sender, const std::string& via) {
  if (via == sender.via) return {};
  PAWL_TRY(tx.Execute("UPDATE devices SET via = ? WHERE id = ?", {via, sender.id}));
  const std::string how = via.empty() ? "for itself" : "through the gateway " + via;
  PAWL_TRY(Emit(tx, {.kind = EventKind::kDeviceVia,
                     .text = sender.id + " speaks " + how + " now",
                     .device = sender.id,
                     .data = JsonObject({{"via", via}, {"before", sender.via}})}));
  return {};
}

Status StoreHello(sql::Tx& tx, const Sender& sender, const wire::Hello& hello) {
  PAWL_TRY(tx.Execute(
      "UPDATE devices SET session = ?, boots = ?, nonces = ?, told_vendor = ?, told_class = ?, board_revision = ?, "
      "agent = ?, floor = ?, slot_bytes = ?, watchdog_s = ?, encodings = ?, keys = ? WHERE id = ?",
      {static_cast<std::int64_t>(sender.view.session), Join(sender.view.boots), Join(sender.view.nonces), hello.vendor,
       hello.cls, hello.board_revision, hello.agent, hello.floor, hello.slot_bytes, hello.watchdog_s,
       EncodeTexts(hello.encodings), Join(hello.keys), sender.id}));
  PAWL_TRY(StoreVia(tx, sender, hello.via));
  const std::string told = EncodeAttributes(hello.attributes);
  if (told == sender.told_attributes) return {};
  PAWL_TRY(tx.Execute("UPDATE devices SET told_attributes = ? WHERE id = ?", {told, sender.id}));
  return StoreAttributes(tx, sender.id, DecodeAttributes(sender.operator_attributes), hello.attributes);
}

// It was heard from. After a restart of pawld this may be the first that is known of a connection that outlived it.
Status NoteHeard(sql::Tx& tx, const Sender& sender) {
  PAWL_TRY(tx.Execute("UPDATE devices SET connected = 1, last_seen_ms = ? WHERE id = ?", {tx.now_ms(), sender.id}));
  if (sender.connected) return {};
  PAWL_TRY(
      tx.Execute("UPDATE jobs SET to_send = 1 WHERE device = ? AND open = 1 AND (status = 'queued' OR cancelling = 1)",
                 {sender.id}));
  PAWL_TRY(Emit(tx, {.kind = EventKind::kDeviceConnected, .text = sender.id + " connected", .device = sender.id}));
  return {};
}

Status Quarantine(sql::Tx& tx, const Sender& sender) {
  constexpr std::string_view kReason = "two holders of its identity";
  PAWL_TRY(Emit(tx, {.kind = EventKind::kDeviceIdentityFork,
                     .text = sender.id + ": " + std::string(kReason) + " are talking to the platform",
                     .device = sender.id}));
  return SetDeviceState(tx, Platform(), sender.id, DeviceState::kQuarantined, EventKind::kDeviceQuarantined, kReason);
}

// ---------------------------------------------------------------- what a snapshot changes

// The device's newest job, and those that the snapshot names.
Result<std::vector<JobRow>> RelevantJobs(sql::Tx& tx, const std::string& device, const wire::State& shown) {
  std::vector<JobRow> rows;
  PAWL_ASSIGN(auto newest, NewestJobOf(tx, device));
  if (newest) rows.push_back(*std::move(newest));
  for (const std::uint64_t n : {shown.job ? shown.job->n : 0, shown.owed ? shown.owed->job : 0}) {
    const bool known = std::ranges::any_of(rows, [n](const JobRow& row) { return row.view.n == n; });
    if (n == 0 || known) continue;
    PAWL_ASSIGN(auto named, JobByNumber(tx, device, n));
    if (named) rows.push_back(*std::move(named));
  }
  return rows;
}

std::string WithDetail(Reason reason, std::string_view detail) {
  std::string text(Text(reason));
  if (!detail.empty()) text.append(", ").append(detail);
  return text;
}

Status StoreRollback(sql::Tx& tx, const std::string& device, const wire::Owed& owed) {
  PAWL_ASSIGN(const auto inserted,
              tx.Execute("INSERT INTO rollbacks (device, job_n, trial, digest, reason, detail, at_ms) "
                         "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                         {device, owed.job, owed.trial, owed.digest, static_cast<std::uint16_t>(owed.reason),
                          owed.detail, tx.now_ms()}));
  if (inserted == 0) return {};
  PAWL_TRY(Emit(tx, {.kind = EventKind::kDeviceRollback,
                     .text = device + " rolled back job " + std::to_string(owed.job) + ": " +
                             WithDetail(owed.reason, owed.detail),
                     .device = device,
                     .data = JsonObject({{"n", owed.job},
                                         {"trial", std::uint64_t{owed.trial}},
                                         {"reason", std::uint64_t{static_cast<std::uint16_t>(owed.reason)}},
                                         {"detail", owed.detail}})}));
  return {};
}

Status EmitEmergency(sql::Tx& tx, const std::string& device, const wire::Emergency& emergency) {
  PAWL_TRY(Emit(tx, {.kind = EventKind::kDeviceEmergency,
                     .text = device + ": its bootloader had to act: " + std::string(Text(emergency.reason)),
                     .device = device,
                     .data = JsonObject({{"count", std::uint64_t{emergency.count}},
                                         {"reason", std::uint64_t{static_cast<std::uint16_t>(emergency.reason)}}})}));
  return {};
}

Status NoteRestored(sql::Tx& tx, const std::string& device) {
  const std::string text =
      device + " shows a job or a trial that this database never gave: it was restored from a backup";
  PAWL_TRY(Emit(tx, {.kind = EventKind::kDeviceRestoredPlatform, .text = text, .device = device}));
  return PauseAllCampaigns(tx, text);
}

Status NoteLedgerLost(sql::Tx& tx, const std::string& device) {
  PAWL_TRY(Emit(tx, {.kind = EventKind::kDeviceLedgerLost, .text = device + " lost its ledger", .device = device}));
  return {};
}

// Stores what the snapshot means; returns the debts that are settled once this is durable.
Result<wire::Settled> StoreSnapshot(sql::Tx& tx, const Sender& sender, const wire::State& shown, bool fresh_session) {
  PAWL_ASSIGN(const auto rows, RelevantJobs(tx, sender.id, shown));
  std::vector<JobView> views;
  for (const JobRow& row : rows) views.push_back(row.view);
  const platform::Interpretation meaning = platform::Interpret(sender.view, views, shown, fresh_session);

  PAWL_TRY(tx.Execute("UPDATE devices SET told = ?, highest_n = ? WHERE id = ?",
                      {wire::EncodeState(shown), meaning.highest_n, sender.id}));
  if (meaning.standing == platform::Standing::kNewJournal) PAWL_TRY(NoteLedgerLost(tx, sender.id));
  if (meaning.rollback) PAWL_TRY(StoreRollback(tx, sender.id, *meaning.rollback));
  if (meaning.emergency) PAWL_TRY(EmitEmergency(tx, sender.id, *meaning.emergency));
  for (const JobView& after : meaning.changed) {
    const auto before = std::ranges::find_if(rows, [&](const JobRow& row) { return row.view.n == after.n; });
    PAWL_TRY(StoreJob(tx, *before, after, {"device " + sender.id}));
  }
  if (meaning.restored_platform) PAWL_TRY(NoteRestored(tx, sender.id));
  return meaning.settled;
}

// ---------------------------------------------------------------- what a device is told

wire::Job ToWire(const JobRow& row, std::vector<std::uint8_t> envelope, const ChannelOptions& options) {
  wire::Job job{row.view.n, {}, std::move(envelope), row.job.version, row.artifact_bytes};
  for (const std::string& base : options.source_bases) {
    if (job.sources.size() == wire::kMaxSources) break;
    const std::string url = base + "/" + Hex(row.artifact);
    job.sources.push_back({url, url + ".leaves", "raw"});
  }
  return job;
}

// The job as it is sent. A queued one becomes offered; the deadline for its acknowledgement runs from now.
Result<wire::Job> Offer(sql::Tx& tx, const Sender& sender, const JobRow& row, const ChannelOptions& options) {
  PAWL_ASSIGN(auto envelope, GetEnvelope(tx, row.job.release));
  PAWL_TRY(tx.Execute("UPDATE jobs SET to_send = 0, offered_ms = ? WHERE id = ?", {tx.now_ms(), row.job.id}));
  if (row.view.status == JobStatus::kQueued) {
    JobView after = row.view;
    after.status = JobStatus::kOffered;
    after.trial_before = sender.view.told ? sender.view.told->trial : 0;
    PAWL_TRY(StoreJob(tx, row, after, Platform()));
  }
  return ToWire(row, std::move(envelope), options);
}

platform::Word WordAbout(const JobRow& row) {
  return platform::WordAbout(row.view, row.campaign_state == CampaignState::kRunning);
}

Status FillJob(sql::Tx& tx, const Sender& sender, const ChannelOptions& options, wire::Welcome& welcome) {
  PAWL_ASSIGN(const auto newest, NewestJobOf(tx, sender.id));
  if (!newest) return {};
  switch (WordAbout(*newest)) {
    case platform::Word::kNothing:
      break;
    case platform::Word::kOffer: {
      PAWL_ASSIGN(welcome.job, Offer(tx, sender, *newest, options));
      break;
    }
    case platform::Word::kCancel:
      welcome.cancelled = true;
      welcome.cancel_job = newest->view.n;
      PAWL_TRY(tx.Execute("UPDATE jobs SET to_send = 0 WHERE id = ?", {newest->job.id}));
      break;
  }
  return {};
}

Result<std::optional<wire::Down>> Say(sql::Tx& tx, const JobRow& row, const ChannelOptions& options) {
  PAWL_TRY(tx.Execute("UPDATE jobs SET to_send = 0 WHERE id = ?", {row.job.id}));
  PAWL_ASSIGN(const auto sender, FindSender(tx, row.job.device));
  if (!sender) return std::nullopt;
  const platform::Word word = WordAbout(row);
  if (word == platform::Word::kOffer) {
    PAWL_ASSIGN(wire::Job job, Offer(tx, *sender, row, options));
    return wire::JobOffer{sender->view.session, std::move(job)};
  }
  if (word == platform::Word::kCancel || row.view.status == JobStatus::kLost) {
    return wire::Cancel{sender->view.session, row.view.n, row.cancel_reason};
  }
  return std::nullopt;
}

// ---------------------------------------------------------------- permits

Result<platform::PermitCase> PermitCaseOf(sql::Tx& tx, const Sender& sender, const JobRow& row) {
  PAWL_ASSIGN(auto facts, tx.One("SELECT c.vendor_id, c.class_id, r.sequence, r.security_version, r.min_board_revision "
                                 "FROM releases r JOIN classes c ON c.name = r.class WHERE r.id = ?",
                                 {row.job.release}, [&](const sql::Row& r) {
                                   platform::PermitCase out;
                                   out.campaign_runs = row.campaign_state == CampaignState::kRunning;
                                   out.class_fits = r.Fixed<16>(0) == sender.vendor && r.Fixed<16>(1) == sender.cls;
                                   out.board_revision = sender.board_revision;
                                   out.floor = sender.floor;
                                   out.sequence = r.U64(2);
                                   out.security_version = r.U64(3);
                                   out.min_board_revision = r.U64(4);
                                   return out;
                                 }));
  return facts.value_or(platform::PermitCase{});
}

// The started credit, once for each device and job.
Status StoreCredit(sql::Tx& tx, const JobRow& row) {
  if (row.view.permitted) return {};
  PAWL_TRY(tx.Execute("UPDATE jobs SET permitted = 1, permitted_ms = ?, waiting = '', updated_ms = ? WHERE id = ?",
                      {tx.now_ms(), tx.now_ms(), row.job.id}));
  PAWL_TRY(Emit(tx, {.kind = EventKind::kJobPermitted,
                     .text = row.job.device + ": job " + std::to_string(row.job.n) + " (" + row.job.version +
                             ") may reboot into its image",
                     .device = row.job.device,
                     .campaign = row.job.campaign,
                     .job = row.job.id}));
  return {};
}

}  // namespace

Result<std::optional<wire::Welcome>> HandleHello(sql::Tx& tx, std::string_view device, const wire::Hello& hello,
                                                 const ChannelOptions& options) {
  PAWL_ASSIGN(auto sender, FindActive(tx, device));
  if (!sender) return std::nullopt;
  const platform::HelloVerdict verdict = platform::JudgeHello(sender->view, hello);
  if (verdict == platform::HelloVerdict::kLate) return std::nullopt;
  if (verdict == platform::HelloVerdict::kFork) {
    PAWL_TRY(Quarantine(tx, *sender));
    return std::nullopt;
  }
  const bool repeated = verdict == platform::HelloVerdict::kRepeated;
  sender->view = platform::WithHello(std::move(sender->view), hello, repeated ? sender->view.session : NewSession());
  PAWL_TRY(StoreHello(tx, *sender, hello));
  PAWL_TRY(NoteHeard(tx, *sender));
  PAWL_ASSIGN(const wire::Settled settled, StoreSnapshot(tx, *sender, hello.state, true));
  sender->view.told = hello.state;

  wire::Welcome welcome;
  welcome.nonce = hello.nonce;
  welcome.session = sender->view.session;
  welcome.time = static_cast<std::uint64_t>(tx.now_ms() / 1000);
  welcome.ack = {sender->view.session, hello.state.journal, hello.state.rev, settled};
  PAWL_TRY(FillJob(tx, *sender, options, welcome));
  return welcome;
}

Result<std::vector<wire::Down>> HandleState(sql::Tx& tx, std::string_view device, const wire::StateReport& report,
                                            const ChannelOptions& options) {
  PAWL_ASSIGN(const auto sender, FindActive(tx, device));
  std::vector<wire::Down> answers;
  if (!sender) return answers;
  const platform::ReportVerdict verdict = platform::JudgeReport(sender->view, report);
  if (verdict == platform::ReportVerdict::kDrop) return answers;
  if (verdict == platform::ReportVerdict::kFork) {
    PAWL_TRY(Quarantine(tx, *sender));
    return answers;
  }
  PAWL_TRY(NoteHeard(tx, *sender));
  PAWL_ASSIGN(const wire::Settled settled, StoreSnapshot(tx, *sender, report.state, false));
  answers.emplace_back(wire::Ack{report.session, report.state.journal, report.state.rev, settled});
  PAWL_ASSIGN(const auto newest, NewestJobOf(tx, device));
  if (!newest || !newest->to_send) return answers;
  PAWL_ASSIGN(auto message, Say(tx, *newest, options));
  if (message) answers.push_back(*std::move(message));
  return answers;
}

Result<ReadyAnswer> HandleReady(sql::Tx& tx, std::string_view device, const wire::Ready& ready,
                                const ChannelOptions& options) {
  PAWL_ASSIGN(const auto sender, FindActive(tx, device));
  if (!sender) return ReadyAnswer{};
  PAWL_ASSIGN(const auto newest, NewestJobOf(tx, device));
  platform::PermitCase facts;
  if (newest) {
    PAWL_ASSIGN(facts, PermitCaseOf(tx, *sender, *newest));
  }
  const platform::PermitDecision decision =
      platform::DecidePermit(sender->view, newest ? &newest->view : nullptr, facts, ready);
  switch (decision.kind) {
    case platform::PermitDecision::Kind::kDrop:
      return ReadyAnswer{};
    case platform::PermitDecision::Kind::kWait:
      PAWL_TRY(NoteHeard(tx, *sender));
      PAWL_TRY(NotePermitWaiting(tx, newest->job.id, decision.why));
      return wire::PermitAnswer{ready.session, ready.job, {}, options.permit_wait_s, std::string(decision.why)};
    case platform::PermitDecision::Kind::kGrant:
      break;
  }
  PAWL_TRY(NoteHeard(tx, *sender));
  PAWL_TRY(StoreCredit(tx, *newest));
  return PermitFacts{ready.session, ready.job,   newest->job.id,       sender->id,
                     ready.digest,  ready.nonce, options.permit_life_s};
}

Status NotePermitWaiting(sql::Tx& tx, std::string_view job_id, std::string_view text) {
  PAWL_ASSIGN(const auto changed,
              tx.Execute("UPDATE jobs SET waiting = ?, updated_ms = ? WHERE id = ? AND open = 1 AND waiting <> ?",
                         {text, tx.now_ms(), job_id, text}));
  if (changed == 0 || text.empty()) return {};
  PAWL_ASSIGN(const JobRow row, NeedJob(tx, job_id));
  PAWL_TRY(Emit(tx, {.kind = EventKind::kPermitWaiting,
                     .text = row.job.device + ": the permit for job " + std::to_string(row.job.n) +
                             " waits: " + std::string(text),
                     .device = row.job.device,
                     .campaign = row.job.campaign,
                     .job = row.job.id}));
  return {};
}

Status StoreProgress(sql::Tx& tx, const std::vector<ProgressReport>& reports) {
  for (const ProgressReport& report : reports) {
    PAWL_TRY(
        tx.Execute("UPDATE jobs SET progress_bytes = ?, progress_ms = ? WHERE device = ? AND n = ? AND open = 1 "
                   "AND EXISTS (SELECT 1 FROM devices d WHERE d.id = ? AND d.session = ? AND d.state = 'active')",
                   {report.progress.bytes, tx.now_ms(), report.device, report.progress.job, report.device,
                    static_cast<std::int64_t>(report.progress.session)}));
  }
  return {};
}

Status Disconnected(sql::Tx& tx, std::string_view device) {
  PAWL_ASSIGN(const auto changed,
              tx.Execute("UPDATE devices SET connected = 0 WHERE id = ? AND connected = 1", {device}));
  if (changed == 0) return {};
  PAWL_TRY(tx.Execute("UPDATE jobs SET to_send = 0 WHERE device = ? AND to_send = 1", {device}));
  PAWL_TRY(Emit(
      tx, {.kind = EventKind::kDeviceDisconnected, .text = std::string(device) + " disconnected", .device = device}));
  return {};
}

Status DisconnectedAll(sql::Tx& tx) {
  PAWL_TRY(tx.Execute("UPDATE devices SET connected = 0 WHERE connected = 1"));
  PAWL_TRY(tx.Execute("UPDATE jobs SET to_send = 0 WHERE to_send = 1"));
  return {};
}

Result<std::vector<Outgoing>> TakeOutgoing(sql::Tx& tx, const ChannelOptions& options, std::size_t limit) {
  const sql::Arg up_to[] = {limit};
  PAWL_ASSIGN(const auto rows, FindJobs(tx,
                                        "WHERE j.to_send = 1 AND d.connected = 1 AND d.state = 'active' "
                                        "ORDER BY j.id LIMIT ?",
                                        up_to));
  std::vector<Outgoing> outgoing;
  for (const JobRow& row : rows) {
    PAWL_ASSIGN(auto message, Say(tx, row, options));
    if (message) outgoing.push_back({row.job.device, *std::move(message)});
  }
  return outgoing;
}

}  // namespace pawl::data
