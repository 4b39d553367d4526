#include "platform/io/channel/dispatch.h"

#include <memory>
#include <utility>
#include <variant>

#include "base/text.h"
#include "broker/link.h"
#include "platform/io/data/devices.h"
#include "platform/io/data/jobs.h"
#include "wire/json/json.h"

namespace pawl {
namespace {

constexpr std::size_t kOutgoingAtOnce = 200;

std::string ErrorText(const Error& error) {
  std::string text(Text(error.reason));
  if (!error.detail.empty()) text.append(": ").append(error.detail.view());
  return text;
}

}  // namespace

Dispatch::Dispatch(data::Database& database, data::ChannelOptions options, PermitSigner signer, Send send, LogLine log)
    : database_(database),
      options_(std::move(options)),
      send_(std::move(send)),
      log_(std::move(log)),
      permits_(std::move(signer), [this](const auto& facts, const auto& permit) { OnPermit(facts, permit); }) {}

void Dispatch::Start() { permits_.Start(); }

void Dispatch::Stop() {
  permits_.Stop();
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return outstanding_ == 0; });
}

void Dispatch::OnMessage(std::string_view topic, std::string_view payload) {
  if (const auto device = broker::DeviceOfLinkTopic(topic)) return OnLink(*device, payload);
  const auto parts = wire::ParseUpTopic(topic);
  if (!parts) return Malformed("", parts.error());
  OnUp(parts->device, payload);
}

// --- Connections ---

void Dispatch::OnLink(const std::string& device, std::string_view payload) {
  const bool up = !payload.empty();
  Count(up ? &ChannelMetrics::links_up : &ChannelMetrics::links_down);
  {
    const std::scoped_lock lock(mutex_);
    if (up) connected_.insert(device);
    if (!up) connected_.erase(device);
  }
  if (!up) {
    return Store(device, [device](sql::Tx& tx) { return data::Disconnected(tx, device); }, {});
  }
  Digest pin{};
  if (const Status decoded = HexDecode(payload, pin); !decoded) return Malformed(device, decoded.error());
  Store(device, [device, pin](sql::Tx& tx) { return data::Contact(tx, device, pin); }, {});
}

void Dispatch::OnConnectionLost() {
  const std::scoped_lock lock(mutex_);
  connected_.clear();  // those who are there are told again when we are back
}

void Dispatch::OnBrokerGone() {
  Store("", [](sql::Tx& tx) { return data::DisconnectedAll(tx); }, {});
}

// --- Messages of devices ---

void Dispatch::OnUp(const std::string& device, std::string_view payload) {
  const auto message = wire::DecodeUp(payload);
  if (!message) return Malformed(device, message.error());
  std::visit([&](const auto& each) { On(device, each); }, *message);
}

void Dispatch::On(const std::string& device, const wire::Hello& hello) {
  Count(&ChannelMetrics::hello);
  const auto welcome = std::make_shared<std::optional<wire::Welcome>>();
  StoreMessage(
      device,
      [this, device, hello, welcome](sql::Tx& tx) -> Status {
        PAWL_ASSIGN(*welcome, data::HandleHello(tx, device, hello, options_));
        return {};
      },
      [this, device, welcome] {
        if (*welcome) SendTo(device, **welcome);
      });
}

void Dispatch::On(const std::string& device, const wire::StateReport& report) {
  Count(&ChannelMetrics::state);
  const auto answers = std::make_shared<std::vector<wire::Down>>();
  StoreMessage(
      device,
      [this, device, report, answers](sql::Tx& tx) -> Status {
        PAWL_ASSIGN(*answers, data::HandleState(tx, device, report, options_));
        return {};
      },
      [this, device, answers] {
        for (const wire::Down& answer : *answers) SendTo(device, answer);
      });
}

void Dispatch::On(const std::string& device, const wire::Ready& ready) {
  Count(&ChannelMetrics::ready);
  const auto answer = std::make_shared<data::ReadyAnswer>();
  StoreMessage(
      device,
      [this, device, ready, answer](sql::Tx& tx) -> Status {
        PAWL_ASSIGN(*answer, data::HandleReady(tx, device, ready, options_));
        return {};
      },
      [this, device, answer] {
        if (const auto* wait = std::get_if<wire::PermitAnswer>(answer.get())) SendTo(device, *wait);
        if (const auto* facts = std::get_if<data::PermitFacts>(answer.get());
            facts != nullptr && !permits_.Submit(*facts)) {
          Count(&ChannelMetrics::overload);
          Wait(*facts, "too many permits wait for the signer");
        }
      });
}

void Dispatch::On(const std::string& device, const wire::Progress& progress) {
  Count(&ChannelMetrics::progress);
  const std::scoped_lock lock(mutex_);
  if (progress_.size() < kMaxPending || progress_.contains(device)) progress_[device] = progress;
}

void Dispatch::Malformed(const std::string& device, const Error& error) {
  Count(&ChannelMetrics::malformed);
  const auto now = std::chrono::steady_clock::now();
  {
    const std::scoped_lock lock(mutex_);
    std::erase_if(warned_, [&](const auto& entry) { return now - entry.second > kWarnAgainAfter; });
    if (warned_.size() >= kMaxWarnedDevices || !warned_.emplace(device, now).second) return;
  }
  Emit(data::EventKind::kDeviceMessageDropped, device + " sent a message that was dropped: " + ErrorText(error),
       device);
}

// --- Permits ---

void Dispatch::OnPermit(const data::PermitFacts& facts, const Result<std::vector<std::uint8_t>>& permit) {
  if (!permit) {
    Count(&ChannelMetrics::permits_failed);
    return Wait(facts, ErrorText(permit.error()));
  }
  Count(&ChannelMetrics::permits_signed);
  SendTo(facts.device, wire::PermitAnswer{.session = facts.session, .job = facts.job, .permit = *permit, .reason = {}});
  const std::string job = facts.job_id;
  Store(facts.device, [job](sql::Tx& tx) { return data::NotePermitWaiting(tx, job, ""); }, {});
}

// No permit now: the device is told to ask again, and people why.
void Dispatch::Wait(const data::PermitFacts& facts, const std::string& why) {
  const wire::PermitAnswer answer{
      .session = facts.session, .job = facts.job, .permit = {}, .wait_s = options_.permit_wait_s, .reason = why};
  const std::string job = facts.job_id;
  Store(
      facts.device, [job, why](sql::Tx& tx) { return data::NotePermitWaiting(tx, job, why); },
      [this, device = facts.device, answer] { SendTo(device, answer); });
}

// --- The platform's own clockwork ---

void Dispatch::SendOutgoing() {
  while (true) {
    const auto outgoing =
        database_.Write([this](sql::Tx& tx) { return data::TakeOutgoing(tx, options_, kOutgoingAtOnce); });
    if (!outgoing) return log_(LogLevel::kError, "cannot look for jobs to send: " + ErrorText(outgoing.error()));
    for (const data::Outgoing& each : *outgoing) SendTo(each.device, each.message);
    if (outgoing->size() < kOutgoingAtOnce) return;
  }
}

void Dispatch::StoreProgress() {
  std::vector<data::ProgressReport> reports;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [device, progress] : progress_) reports.push_back({device, progress});
    progress_.clear();
  }
  if (reports.empty()) return;
  const Status stored = database_.Write([&](sql::Tx& tx) { return data::StoreProgress(tx, reports); });
  if (!stored) log_(LogLevel::kError, "cannot store progress: " + ErrorText(stored.error()));
}

void Dispatch::MarkTimedOut() {
  const auto marked =
      database_.Write([this](sql::Tx& tx) { return data::MarkTimedOut(tx, options_.acknowledge_within_s); });
  if (!marked) log_(LogLevel::kError, "cannot look for deadlines: " + ErrorText(marked.error()));
}

void Dispatch::Emit(data::EventKind kind, std::string text, std::string device) {
  const auto event = [kind, text, device](sql::Tx& tx) -> Status {
    PAWL_TRY(data::Emit(tx, {.kind = kind, .text = text, .device = device}));
    return {};
  };
  Store(device, event, {});
}

ChannelMetrics Dispatch::metrics() const {
  const std::scoped_lock lock(mutex_);
  ChannelMetrics metrics = metrics_;
  metrics.connected_devices = connected_.size();
  metrics.pending_permits = permits_.waiting();
  return metrics;
}

// --- Helpers ---

void Dispatch::StoreMessage(const std::string& device, Work work, std::function<void()> then) {
  {
    const std::scoped_lock lock(mutex_);
    std::size_t& mine = pending_[device];
    if (mine >= kMaxPendingPerDevice || metrics_.pending >= kMaxPending) {
      if (mine == 0) pending_.erase(device);
      ++metrics_.overload;
      return;
    }
    ++mine;
    ++metrics_.pending;
  }
  Run(device, std::move(work), [this, device, then = std::move(then)](const Status& stored) {
    if (stored && then) then();
    const std::scoped_lock lock(mutex_);
    --metrics_.pending;
    if (const auto mine = pending_.find(device); --mine->second == 0) pending_.erase(mine);
  });
}

void Dispatch::Store(const std::string& device, Work work, std::function<void()> then) {
  Run(device, std::move(work), [then = std::move(then)](const Status& stored) {
    if (stored && then) then();
  });
}

void Dispatch::Run(const std::string& device, Work work, std::function<void(const Status&)> done) {
  {
    const std::scoped_lock lock(mutex_);
    ++outstanding_;
  }
  database_.WriteAsync(std::move(work), [this, device, done = std::move(done)](const Status& stored) {
    done(stored);
    if (!stored) {
      Count(&ChannelMetrics::not_stored);
      log_(LogLevel::kError, "not stored, so not acknowledged to \"" + device + "\": " + ErrorText(stored.error()));
    }
    const std::scoped_lock lock(mutex_);
    if (--outstanding_ == 0) idle_.notify_all();
  });
}

void Dispatch::SendTo(const std::string& device, const wire::Down& message) {
  Count(send_(device, message) ? &ChannelMetrics::sent : &ChannelMetrics::unsent);
}

void Dispatch::Count(std::uint64_t ChannelMetrics::* counter) {
  const std::scoped_lock lock(mutex_);
  ++(metrics_.*counter);
}

}  // namespace pawl
