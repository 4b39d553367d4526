#include "platform/io/channel/channel.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "broker/link.h"
#include "platform/io/channel/mqtt.h"
#include "platform/io/channel/view_writer.h"
#include "wire/json/json.h"

namespace pawl {
namespace {

using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr seconds kRound{1};            // how often deadlines, progress and the view's heartbeat are looked after
constexpr seconds kBrokerMayStart{10};  // before its absence is an event

// Wakes the clockwork after a commit. Shared with the database's listener, which may outlive the channel.
class Bell {
 public:
  void Ring() {
    {
      const std::scoped_lock lock(mutex_);
      rung_ = true;
    }
    changed_.notify_all();
  }
  void Wait(std::stop_token stop, Clock::time_point until) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, stop, until, [this] { return rung_; });
    rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool rung_ = false;
};

MqttConfig ClientOf(const ExternalBroker& broker) {
  return {.host = broker.host,
          .port = broker.port,
          .client_id = "pawld",
          .username = broker.username,
          .ca = broker.ca,
          .certificate = broker.certificate,
          .key = broker.key,
          .filters = {},
          .on_message = {},
          .on_change = {}};
}

MqttConfig ClientOf(const Broker& broker) {
  return {.host = broker.SocketPath(),
          .client_id = std::string(broker::kPlatformClient),
          .username = std::string(broker::kPlatformClient),
          .ca = {},
          .certificate = {},
          .key = {},
          .filters = {},
          .on_message = {},
          .on_change = {}};
}

}  // namespace

class Channel::Impl {
 public:
  Impl(ChannelConfig config, data::Database& database, PermitSigner signer, LogLine log)
      : config_(std::move(config)),
        database_(database),
        log_(std::move(log)),
        dispatch_(
            database, config_.options, std::move(signer),
            [this](const std::string& device, const wire::Down& message) { return Send(device, message); }, log_) {
    database.OnCommit([bell = bell_] { bell->Ring(); });
  }
  ~Impl() { Stop(); }

  Status Start() {
    if (config_.embedded.has_value() == config_.external.has_value()) {
      return Fail(Reason::kInvalidArgument, "configure either the embedded broker or another one");
    }
    if (config_.embedded) {
      PAWL_TRY(database_.Write([](sql::Tx& tx) { return data::DisconnectedAll(tx); }));
      PAWL_TRY(PrepareBroker());
      PAWL_TRY(PrepareView());
    }
    StartClient();
    dispatch_.Start();
    started_ = Clock::now();
    stopping_ = false;
    if (broker_) broker_->child().Start();
    client_->Start();
    clockwork_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
    return {};
  }

  // In the order of who calls whom: after each line its callers are gone.
  void Stop() {
    if (!clockwork_.joinable()) return;
    stopping_ = true;
    clockwork_.request_stop();
    clockwork_.join();
    client_->Stop();
    if (broker_) broker_->child().Stop();
    dispatch_.Stop();
  }

  ChannelHealth health() const {
    const std::scoped_lock lock(mutex_);
    ChannelHealth health{.ok = up_, .problem = problem_};
    if (!broker_) return health;
    const Child::Health child = broker_->child().health();
    health.broker_restarts = child.restarts;
    health.broker_pid = child.pid;
    if (!child.ready && !child.problem.empty()) health.problem = child.problem;
    return health;
  }

  ChannelMetrics metrics() const {
    ChannelMetrics metrics = dispatch_.metrics();
    const std::scoped_lock lock(mutex_);
    metrics.view_generation = view_generation_;
    metrics.view_writes = view_writes_;
    metrics.broker_connects = broker_connects_;
    return metrics;
  }

 private:
  Status PrepareBroker() {
    PAWL_ASSIGN(broker_,
                Broker::Prepare(
                    *config_.embedded,
                    [this](std::string_view line) { log_(LogLevel::kInfo, "mosquitto: " + std::string(line)); },
                    [this](bool ready, const std::string& what) {
                      log_(ready ? LogLevel::kInfo : LogLevel::kWarning, what);
                      if (!ready) dispatch_.OnBrokerGone();
                      if (ready) client_->Hurry();
                    }));
    return {};
  }

  Status PrepareView() {
    view_ = std::make_unique<ViewWriter>(database_, broker_->ViewPath(), broker_->ReaderGroup());
    return RefreshView();
  }

  void StartClient() {
    MqttConfig client = broker_ ? ClientOf(*broker_) : ClientOf(*config_.external);
    client.filters = {std::string(broker::kUpFilter), std::string(broker::kLinkFilter)};
    client.on_message = [this](std::string_view topic, std::string_view payload) {
      dispatch_.OnMessage(topic, payload);
    };
    client.on_change = [this](bool up, const std::string& problem) { OnBroker(up, problem); };
    client_ = std::make_unique<MqttClient>(std::move(client));
  }

  bool Send(const std::string& device, const wire::Down& message) {
    return client_->Publish(wire::DownTopic(wire::kDefaultTenant, device), wire::Encode(message)).has_value();
  }

  void OnBroker(bool up, const std::string& problem) {
    bool was_up = false;
    bool tell = false;
    {
      const std::scoped_lock lock(mutex_);
      was_up = std::exchange(up_, up);
      problem_ = problem;
      if (up) ++broker_connects_;
      const bool missed = !up && !stopping_ && (was_up || Clock::now() - started_ > kBrokerMayStart);
      tell = up ? told_down_ : missed && !told_down_;
      if (tell) told_down_ = !up;
    }
    if (!up) dispatch_.OnConnectionLost();
    if (was_up != up) log_(up ? LogLevel::kInfo : LogLevel::kWarning, up ? "connected to the broker" : problem);
    if (tell && up) dispatch_.Emit(data::EventKind::kBrokerUp, "connected to the broker again");
    if (tell && !up) dispatch_.Emit(data::EventKind::kBrokerDown, problem);
    if (up) bell_->Ring();
  }

  void Run(std::stop_token stop) {
    auto round = Clock::now();
    while (!stop.stop_requested()) {
      if (const Status refreshed = RefreshView(); !refreshed) LogViewProblem(refreshed.error());
      if (IsUp()) dispatch_.SendOutgoing();
      if (Clock::now() >= round) {
        dispatch_.StoreProgress();
        dispatch_.MarkTimedOut();
        round = Clock::now() + kRound;
      }
      bell_->Wait(stop, round);
    }
  }

  Status RefreshView() {
    if (!view_) return {};
    PAWL_ASSIGN(const std::uint64_t generation, view_->Refresh());
    const std::scoped_lock lock(mutex_);
    view_generation_ = generation;
    view_writes_ = view_->writes();
    return {};
  }

  void LogViewProblem(const Error& error) const {
    log_(LogLevel::kError, "the registry's view cannot be kept; soon the broker admits nobody: " +
                               std::string(Text(error.reason)) + ": " + std::string(error.detail.view()));
  }

  bool IsUp() const {
    const std::scoped_lock lock(mutex_);
    return up_;
  }

  const ChannelConfig config_;
  data::Database& database_;
  const LogLine log_;
  const std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();

  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  bool up_ = false;
  bool told_down_ = false;
  std::string problem_ = "not started";
  Clock::time_point started_;
  std::uint64_t broker_connects_ = 0;
  std::uint64_t view_generation_ = 0;
  std::uint64_t view_writes_ = 0;

  Dispatch dispatch_;
  std::unique_ptr<ViewWriter> view_;  // the clockwork's own, once that runs
  std::unique_ptr<MqttClient> client_;
  std::unique_ptr<Broker> broker_;
  std::jthread clockwork_;
};

Channel::Channel(ChannelConfig config, data::Database& database, PermitSigner signer, LogLine log)
    : impl_(std::make_unique<Impl>(std::move(config), database, std::move(signer), std::move(log))) {}
Channel::~Channel() = default;
Status Channel::Start() { return impl_->Start(); }
void Channel::Stop() { impl_->Stop(); }
ChannelHealth Channel::health() const { return impl_->health(); }
ChannelMetrics Channel::metrics() const { return impl_->metrics(); }

}  // namespace pawl
