#include "platform/io/channel/mqtt.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <random>

namespace pawl {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kFirstPause{50};
constexpr milliseconds kLongestPause{5000};
constexpr milliseconds kConnectWithin{10'000};
constexpr int kKeepAliveS = 30;
constexpr int kPollMs = 500;
constexpr int kMaxUnacknowledged = 200;  // what we send at most before the broker acknowledges
constexpr int kReceiveMaximum = 1000;    // what the broker may send before we do
constexpr int kPacketsInARow = 100;

struct Destroy {
  void operator()(mosquitto* client) const { mosquitto_destroy(client); }
};
using Handle = std::unique_ptr<mosquitto, Destroy>;

std::string LibraryText(int rc) { return rc == MOSQ_ERR_ERRNO ? std::strerror(errno) : mosquitto_strerror(rc); }

}  // namespace

// One connection's life, as the library's callbacks tell it.
struct MqttClient::Session {
  MqttClient* owner = nullptr;
  bool subscribed = false;
  int unacknowledged = 0;
  std::string problem;  // set: the session is over
};

struct MqttClient::Callbacks {
  static Session& Of(void* self) { return *static_cast<Session*>(self); }

  static void OnConnect(mosquitto* client, void* self, int code, int, const mosquitto_property*) {
    Session& session = Of(self);
    if (code != 0) {
      session.problem = std::string("the broker refused the connection: ") + mosquitto_reason_string(code);
      return;
    }
    std::vector<char*> filters;
    for (const std::string& filter : session.owner->config_.filters)
      filters.push_back(const_cast<char*>(filter.c_str()));
    const int rc =
        mosquitto_subscribe_multiple(client, nullptr, static_cast<int>(filters.size()), filters.data(), 1, 0, nullptr);
    if (rc != MOSQ_ERR_SUCCESS) session.problem = "cannot subscribe: " + LibraryText(rc);
  }
  static void OnSubscribe(mosquitto*, void* self, int, int count, const int* granted, const mosquitto_property*) {
    Session& session = Of(self);
    if (std::any_of(granted, granted + count, [](int qos) { return qos > 2; })) {
      session.problem = "the broker refused the subscription: check its rules for the platform's client";
      return;
    }
    session.subscribed = true;
    session.owner->SetUp(true, "");
  }
  static void OnDisconnect(mosquitto*, void* self, int code, const mosquitto_property*) {
    Session& session = Of(self);
    if (session.problem.empty())
      session.problem = std::string("the broker closed the connection: ") + LibraryText(code);
  }
  static void OnMessage(mosquitto*, void* self, const mosquitto_message* message, const mosquitto_property*) {
    const std::string_view payload(static_cast<const char*>(message->payload),
                                   message->payload == nullptr ? 0 : static_cast<std::size_t>(message->payloadlen));
    Of(self).owner->config_.on_message(message->topic, payload);
  }
  static void OnPublish(mosquitto*, void* self, int, int, const mosquitto_property*) { --Of(self).unacknowledged; }

  static void Set(mosquitto* client) {
    mosquitto_connect_v5_callback_set(client, OnConnect);
    mosquitto_subscribe_v5_callback_set(client, OnSubscribe);
    mosquitto_disconnect_v5_callback_set(client, OnDisconnect);
    mosquitto_message_v5_callback_set(client, OnMessage);
    mosquitto_publish_v5_callback_set(client, OnPublish);
  }
};

MqttClient::MqttClient(MqttConfig config) : config_(std::move(config)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  mosquitto_lib_init();  // counts its callers
}

MqttClient::~MqttClient() {
  Stop();
  mosquitto_lib_cleanup();
  if (wake_ >= 0) close(wake_);
}

void MqttClient::Start() {
  if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void MqttClient::Stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  Wake();
  thread_.join();
}

Status MqttClient::Publish(std::string topic, std::string payload) {
  {
    const std::scoped_lock lock(mutex_);
    if (!up_) return Fail(Reason::kUnavailable, "no connection to the broker");
    if (queue_.size() >= kMaxQueuedPublishes)
      return Fail(Reason::kUnavailable, "too many messages wait for the broker");
    queue_.push_back({std::move(topic), std::move(payload)});
  }
  Wake();
  return {};
}

void MqttClient::Hurry() {
  {
    const std::scoped_lock lock(mutex_);
    hurried_ = true;
  }
  hurry_.notify_all();
}

void MqttClient::Wake() const { (void)!eventfd_write(wake_, 1); }

void MqttClient::Run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    SetUp(false, RunSession(stop));
    Pause(stop);
  }
}

std::string MqttClient::RunSession(std::stop_token stop) {
  Session session;
  session.owner = this;
  const Handle client(mosquitto_new(config_.client_id.c_str(), true, &session));
  if (!client) return "cannot make an MQTT client: " + LibraryText(MOSQ_ERR_ERRNO);
  Callbacks::Set(client.get());
  if (const Status connected = Connect(client.get()); !connected) return std::string(connected.error().detail.view());
  std::string problem = Pump(client.get(), session, stop);
  if (session.subscribed) failures_ = 0;
  if (stop.stop_requested()) mosquitto_disconnect(client.get());
  return problem;
}

Status MqttClient::Connect(mosquitto* client) {
  const auto need = [](int rc, const std::string& what) -> Status {
    if (rc == MOSQ_ERR_SUCCESS) return {};
    return Fail(Reason::kUnavailable, what + ": " + LibraryText(rc));
  };
  mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
  mosquitto_int_option(client, MOSQ_OPT_RECEIVE_MAXIMUM, kReceiveMaximum);
  mosquitto_int_option(client, MOSQ_OPT_SEND_MAXIMUM, kMaxUnacknowledged);
  if (config_.port != 0) mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  if (!config_.username.empty()) mosquitto_username_pw_set(client, config_.username.c_str(), nullptr);
  if (!config_.ca.empty()) {
    const auto path = [](const std::string& file) { return file.empty() ? nullptr : file.c_str(); };
    PAWL_TRY(need(
        mosquitto_tls_set(client, config_.ca.c_str(), nullptr, path(config_.certificate), path(config_.key), nullptr),
        "cannot read the certificates for the broker"));
    PAWL_TRY(need(mosquitto_tls_opts_set(client, 1, "tlsv1.2", nullptr), "cannot set up TLS"));
  }
  const std::string where = config_.port == 0 ? "its socket" : config_.host + ":" + std::to_string(config_.port);
  return need(mosquitto_connect_async(client, config_.host.c_str(), config_.port, kKeepAliveS),
              "cannot reach the broker at " + where);
}

// Serves the connection until it ends. Returns why it ended. We poll ourselves: the library's own loop uses select(),
// which cannot hold a descriptor above 1023.
std::string MqttClient::Pump(mosquitto* client, Session& session, std::stop_token stop) {
  const auto deadline = Clock::now() + kConnectWithin;
  while (!stop.stop_requested()) {
    const short wanted = static_cast<short>(POLLIN | (mosquitto_want_write(client) ? POLLOUT : 0));
    std::array<pollfd, 2> fds = {pollfd{.fd = mosquitto_socket(client), .events = wanted, .revents = 0},
                                 pollfd{.fd = wake_, .events = POLLIN, .revents = 0}};
    poll(fds.data(), fds.size(), kPollMs);
    eventfd_t ignored = 0;
    if (fds[1].revents != 0) eventfd_read(wake_, &ignored);
    int rc = MOSQ_ERR_SUCCESS;
    if (fds[0].revents != 0) rc = mosquitto_loop_read(client, kPacketsInARow);
    if (rc == MOSQ_ERR_SUCCESS && mosquitto_want_write(client)) rc = mosquitto_loop_write(client, kPacketsInARow);
    if (rc == MOSQ_ERR_SUCCESS) rc = mosquitto_loop_misc(client);
    if (!session.problem.empty()) return session.problem;
    if (rc != MOSQ_ERR_SUCCESS) return "the connection to the broker broke: " + LibraryText(rc);
    if (!session.subscribed && Clock::now() > deadline) return "the broker does not answer";
    if (const Status sent = PublishQueued(client, session); !sent) return std::string(sent.error().detail.view());
  }
  return "stopped";
}

Status MqttClient::PublishQueued(mosquitto* client, Session& session) {
  while (session.unacknowledged < kMaxUnacknowledged) {
    Message message;
    {
      const std::scoped_lock lock(mutex_);
      if (queue_.empty()) return {};
      message = std::move(queue_.front());
      queue_.pop_front();
    }
    const int rc =
        mosquitto_publish_v5(client, nullptr, message.topic.c_str(), static_cast<int>(message.payload.size()),
                             message.payload.data(), 1, false, nullptr);
    if (rc == MOSQ_ERR_OVERSIZE_PACKET) continue;  // the broker told its limit: it would close the connection
    if (rc != MOSQ_ERR_SUCCESS) return Fail(Reason::kUnavailable, "cannot publish: " + LibraryText(rc));
    ++session.unacknowledged;
  }
  return {};
}

void MqttClient::Pause(std::stop_token stop) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const auto ceiling = std::min(kLongestPause, kFirstPause * (1U << std::min(failures_, 10U)));
  ++failures_;
  // Half of it for certain, the rest by chance.
  const milliseconds pause = ceiling / 2 + milliseconds(random() % static_cast<std::uint64_t>(ceiling.count() / 2 + 1));
  std::unique_lock lock(mutex_);
  hurry_.wait_for(lock, stop, pause, [this] { return hurried_; });
  hurried_ = false;
}

void MqttClient::SetUp(bool up, const std::string& problem) {
  {
    const std::scoped_lock lock(mutex_);
    up_ = up;
    queue_.clear();  // of the connection before
  }
  if (config_.on_change) config_.on_change(up, problem);
}

}  // namespace pawl
