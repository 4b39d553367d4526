#include "agent/io/agent.h"

#include <signal.h>

#include <algorithm>

#include "agent/core/snapshot.h"
#include "agent/io/build_time.h"
#include "agent/io/log.h"
#include "base/text.h"
#include "base/version.h"
#include "wire/json/json.h"

namespace pawl::agent {
namespace {

constexpr std::uint64_t kProgressMs = 1000;
constexpr std::uint64_t kLookEnrolledMs = 5000;
constexpr std::uint64_t kPollMaxMs = 1000;
constexpr std::size_t kMaxInbox = 256;  // of messages; what the machine itself brings about is bounded by it

std::string_view PhaseText(const State& state, Outcome& outcome) {
  if (!state.ledger.job) return "";
  outcome = OutcomeOf(*state.ledger.job, state.boot);
  return Text(outcome.phase);
}

}  // namespace

// --- set-up ---

Agent::Agent(Config config) : config_(std::move(config)), signals_(OpenStopSignals()) { ::signal(SIGPIPE, SIG_IGN); }

Agent::~Agent() = default;

Result<std::unique_ptr<Agent>> Agent::Open(Config config, MakeHardware make) {
  std::unique_ptr<Agent> agent(new Agent(std::move(config)));
  PAWL_TRY(agent->Load(std::move(make)));
  return agent;
}

Status Agent::Load(MakeHardware make) {
  if (config_.mqtt_url.empty()) return Fail(Reason::kInvalidArgument, "agent.toml: mqtt_url is missing");
  PAWL_ASSIGN(anchors_, LoadAnchors(config_));
  PAWL_ASSIGN(rom_, LoadRomIdentity(config_));
  PAWL_ASSIGN(hardware_, make(config_, anchors_, http_));
  PAWL_ASSIGN(ledger_file_, CellFile::Open(config_.InData("ledger.bin"), kLedgerKind));
  PAWL_ASSIGN(journal_file_, CellFile::Open(config_.InData("journal.bin"), kJournalKind));

  device_.anchors = anchors_;
  device_.identity = rom_;
  device_.slot_bytes = hardware_->slot_bytes();
  device_.watchdog_s = hardware_->watchdog_ms() / 1000;
  device_.build_time = kBuildTime;
  FillRandom(device_.boot);
  device_.agent = kVersion;
  device_.attributes = config_.attributes;
  device_.via = config_.via;

  downloader_ = std::make_unique<Downloader>(http_, *journal_file_, DownloadOptions());
  renewal_ = std::make_unique<Renewal>(http_, config_);

  std::optional<Ledger> ledger;
  if (ledger_file_->newest()) {
    PAWL_ASSIGN(ledger, DecodeLedger(ledger_file_->newest()->payload));
  } else {
    Log("ledger: none found; a new one begins");
  }
  wire::Journal journal{};
  FillRandom(journal);
  state_ = Begin(device_, hardware_->boot().facts(), ledger, journal);
  return {};
}

Downloader::Options Agent::DownloadOptions() const {
  Downloader::Options options;
  options.allow_loopback = config_.allow_loopback;
  options.bind_address = config_.bind_address;
  options.rate_max = config_.download_rate_max;
  options.rate_min = config_.download_rate_min;
  options.deadline_ms = std::uint64_t{config_.download_deadline_s} * 1000;
  options.leaves_path = config_.InData("leaves.bin");
  options.backoff.cap_ms = std::min<std::uint64_t>(options.backoff.cap_ms, std::uint64_t{config_.backoff_max_s} * 1000);
  return options;
}

// The platform can only be spoken to with a certificate; until then the device runs on without it.
bool Agent::Enrolled() {
  if (mqtt_) return true;
  const std::uint64_t now_ms = MonotonicMs();
  if (enrolled_ms_ != 0 && now_ms - enrolled_ms_ < kLookEnrolledMs) return false;
  const bool first = enrolled_ms_ == 0;
  enrolled_ms_ = now_ms;
  auto identity = LoadIdentity(config_);
  auto cas = LoadPinnedCas(config_, anchors_);
  if (!identity || !cas) {
    if (first) LogError("identity", identity ? cas.error() : identity.error());
    return false;
  }
  identity_ = std::move(*identity);
  cas_ = std::move(*cas);
  Connect();
  return true;
}

void Agent::Connect() {
  device_.id = identity_->id();
  device_.time_max = cas_->not_after;
  RefreshTls();
  MqttLink::Options options;
  options.broker = ParseEndpoint(config_.mqtt_url, "mqtts", 8883).value_or(HostPort{});  // LoadConfig checked it
  options.device = device_.id;
  options.bind_address = config_.bind_address;
  options.backoff.cap_ms = std::uint64_t{config_.backoff_max_s} * 1000;
  MqttLink::Callbacks callbacks;
  callbacks.up = [this] {
    downloader_->LinkBack();
    Note(event::LinkUp{});
  };
  callbacks.down = [this] { Note(event::LinkDown{}); };
  callbacks.message = [this](std::string_view payload) { TakeMessage(payload); };
  mqtt_ = std::make_unique<MqttLink>(std::move(options), std::move(callbacks));
  mqtt_->UseTls(tls_);
}

void Agent::RefreshTls() {
  TlsSettings settings;
  settings.cas = cas_->pems;
  settings.identity = identity_;
  settings.time_floor = TimeFloor(state_);
  settings.clock = WallS();
  settings.build_time = kBuildTime;
  tls_ = std::make_shared<const Tls>(std::move(settings));
  http_.UseTls(tls_);
  if (mqtt_) mqtt_->UseTls(tls_);
}

// --- the loop ---

Agent::End Agent::Run() {
  const BootFacts& boot = hardware_->boot().facts();
  Log("agent: slot=" + std::string(Text(boot.slot)) + " mode=" + std::string(Text(boot.mode)) +
      " cause=" + std::string(Text(boot.cause)) + " version=" + std::string(ToText(boot.running.version).view()));
  Note(event::Started{});
  std::optional<Error> gone;
  while (!stop_ && !(gone = hardware_->gone())) Turn();
  if (gone) LogError("agent: the child is gone", *gone);
  if (stop_) Log("agent: stopped");
  return stop_ ? End::kStopped : End::kGone;
}

void Agent::Turn() {
  const std::uint64_t now_ms = MonotonicMs();
  FeedWatchdog(now_ms);
  Enrolled();
  if (Deadline(state_) <= now_ms) Note(event::Tick{});
  Drain();
  WorkParts(now_ms);
  Drain();
  Wait();
}

void Agent::Wait() {
  std::vector<pollfd> fds{{signals_.get(), POLLIN, 0}};
  hardware_->AddTo(fds);
  if (mqtt_) mqtt_->AddTo(fds);
  const std::uint64_t now_ms = MonotonicMs();
  const std::uint64_t next_ms = inbox_.empty() ? NextMs() : 0;
  const std::uint64_t wait_ms = next_ms <= now_ms ? 0 : std::min(next_ms - now_ms, kPollMaxMs);
  http_.Poll(fds, static_cast<int>(wait_ms));
  if (fds[0].revents != 0) stop_ = true;
  if (mqtt_) mqtt_->Service(fds, MonotonicMs());
}

std::uint64_t Agent::NextMs() const {
  if (downloader_->busy()) return 0;
  std::uint64_t next_ms = std::min({Deadline(state_), downloader_->next_ms(), hardware_->NextMs()});
  if (mqtt_) next_ms = std::min(next_ms, mqtt_->NextAt());
  const std::uint32_t window_ms = hardware_->watchdog_ms();
  if (window_ms != 0) next_ms = std::min(next_ms, fed_ms_ + window_ms / 4);
  return next_ms;
}

// During a trial only the self-test runner feeds; before a reboot nobody does, so that one that hangs is forced.
void Agent::FeedWatchdog(std::uint64_t now_ms) {
  const std::uint32_t window_ms = hardware_->watchdog_ms();
  if (state_.boot.mode == BootMode::kTrial || state_.activity == Activity::kRebooting) return;
  if (window_ms == 0 || now_ms - fed_ms_ < window_ms / 4) return;
  fed_ms_ = now_ms;
  if (const Status fed = hardware_->Feed(); !fed) LogError("watchdog", fed.error());
}

void Agent::WorkParts(std::uint64_t now_ms) {
  WorkDownload(now_ms);
  for (Happening& what : hardware_->Work(now_ms)) Note(std::move(what));
  WorkRenewal(now_ms);
}

void Agent::WorkDownload(std::uint64_t now_ms) {
  switch (downloader_->Work(now_ms)) {
    case Downloader::News::kNone:
      break;
    case Downloader::News::kBegan:
      Note(event::FetchBegan{});
      break;
    case Downloader::News::kDone:
      Note(event::Fetched{});
      break;
    case Downloader::News::kFailed:
      Note(event::FetchFailed{downloader_->error()});
      break;
  }
  if (!downloader_->running() || now_ms - progress_ms_ < kProgressMs) return;
  progress_ms_ = now_ms;
  Note(event::Progress{downloader_->staged_bytes()});
}

void Agent::WorkRenewal(std::uint64_t now_ms) {
  if (!identity_ || !renewal_->Work(*identity_, DeviceTime(state_, Now()), now_ms)) return;
  auto identity = LoadIdentity(config_);
  if (!identity) {
    LogError("identity", identity.error());
    return;
  }
  identity_ = std::move(*identity);
  RefreshTls();
  mqtt_->Restart(true);
}

// --- the machine ---

void Agent::TakeMessage(std::string_view payload) {
  auto message = wire::DecodeDown(payload);
  if (!message) {
    LogError("message", message.error());
    return;
  }
  if (inbox_.size() >= kMaxInbox) return;  // the platform sends again what matters
  std::visit([this](auto& m) { Note(std::move(m)); }, *message);
}

void Agent::Drain() {
  while (!inbox_.empty()) {
    const Happening what = std::move(inbox_.front());
    inbox_.pop_front();
    Advance(what);
  }
}

void Agent::Advance(const Happening& what) {
  const State before = state_;
  Step step = agent::Advance(state_, {what, DrawRandom()}, Now());
  state_ = std::move(step.next);
  LogProgress(before);
  for (const Action& action : step.actions) {
    if (!std::visit([this](const auto& a) { return Do(a); }, action)) break;
  }
  if (tls_ && TimeFloor(state_) != TimeFloor(before)) RefreshTls();
}

void Agent::LogProgress(const State& before) const {
  Outcome was, is;
  const std::string_view phase_before = PhaseText(before, was);
  const std::string_view phase = PhaseText(state_, is);
  const bool same_job = before.ledger.job && state_.ledger.job && before.ledger.job->n == state_.ledger.job->n;
  if (phase.empty() || (same_job && phase == phase_before && was.reason == is.reason)) return;
  std::string line = "job: n=" + std::to_string(state_.ledger.job->n) + " phase=" + std::string(phase);
  if (is.reason != Reason::kNone) line += " reason=\"" + std::string(Text(is.reason)) + "\"";
  if (!is.detail.empty()) line += " detail=\"" + is.detail + "\"";
  Log(line);
}

// --- actions ---

bool Agent::Do(const action::Send& send) {
  if (!mqtt_) return true;
  const bool progress = std::holds_alternative<wire::Progress>(send.message);
  const Status sent = mqtt_->Publish(wire::Encode(send.message), !progress);
  if (!sent) LogError("mqtt: publish", sent.error());
  return true;  // what matters is sent again
}

bool Agent::Do(const action::PersistLedger& persist) {
  const Status stored = ledger_file_->Store(EncodeLedger(persist.ledger));
  if (stored) return true;
  LogError("ledger", stored.error());
  Note(event::LedgerFailed{stored.error()});
  return false;
}

bool Agent::Do(const action::Fetch& fetch) {
  const auto slot = hardware_->boot().StagingSlot();
  const Status started =
      slot ? downloader_->Start(fetch, **slot, MonotonicMs()) : Status(std::unexpected(slot.error()));
  if (!started) Note(event::FetchFailed{started.error()});
  return started.has_value();
}

bool Agent::Do(const action::StopFetch&) {
  downloader_->Stop();
  hardware_->StopSealing();
  return true;
}

bool Agent::Do(const action::Seal& seal) {
  const Status started = hardware_->StartSealing(seal);
  if (!started) Note(event::SealFailed{started.error()});
  return started.has_value();
}

bool Agent::BootResult(std::string_view what, const Status& done) {
  if (done) {
    Log("boot record: " + std::string(what));
    Note(event::BootChanged{hardware_->boot().facts()});
  } else {
    LogError("boot record: " + std::string(what), done.error());
    Note(event::BootRefused{done.error()});
  }
  return done.has_value();
}

bool Agent::Do(const action::SetPending& pending) {
  return BootResult("pending", hardware_->boot().SetPending(pending.job, pending.digest));
}
bool Agent::Do(const action::Confirm&) { return BootResult("confirmed", hardware_->boot().Confirm()); }
bool Agent::Do(const action::SettleRollback& settle) {
  return BootResult("rollback settled", hardware_->boot().SettleRollback(settle.trial, settle.job));
}
bool Agent::Do(const action::SettleEmergency& settle) {
  return BootResult("emergency settled", hardware_->boot().SettleEmergency(settle.count));
}
bool Agent::Do(const action::RaiseFloor& raise) {
  return BootResult("floor raised", hardware_->boot().RaiseFloor(raise.value));
}

// A reboot follows either way: without its reason the bootloader counts an attempt.
bool Agent::Do(const action::FailTrial& fail) {
  if (const Status failed = hardware_->boot().FailTrial(fail.reason, fail.detail); !failed)
    LogError("boot record", failed.error());
  return true;
}

bool Agent::Do(const action::RunSelfTests&) {
  hardware_->StartTests();
  return true;
}

bool Agent::Do(const action::Disconnect&) {
  if (mqtt_) mqtt_->Restart(false);
  return true;
}

bool Agent::Do(const action::Reboot&) {
  Log("agent: rebooting");
  if (const Status reset = hardware_->Reset(); !reset) LogError("reboot", reset.error());
  return true;
}

}  // namespace pawl::agent
