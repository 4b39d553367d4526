#include "agent/io/mqtt.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent/io/log.h"
#include "agent/io/system.h"
#include "base/assert.h"
#include "wire/messages.h"

namespace pawl::agent {
namespace {

constexpr int kKeepAliveS = 30;
constexpr std::uint64_t kResolvePollMs = 20;
constexpr std::uint64_t kMiscMs = 1000;
constexpr std::uint64_t kConnectMs = 15'000;  // from the look-up to the subscription
constexpr int kSubscriptionRefused = 128;
constexpr int kMaxReads = 64;

struct GlobalMosquitto {
  GlobalMosquitto() { mosquitto_lib_init(); }
};

}  // namespace

MqttLink::MqttLink(Options options, Callbacks callbacks)
    : options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      up_topic_(wire::UpTopic(wire::kDefaultTenant, options_.device)),
      down_topic_(wire::DownTopic(wire::kDefaultTenant, options_.device)) {
  static const GlobalMosquitto global;
}

MqttLink::~MqttLink() {
  if (client_ != nullptr) mosquitto_destroy(client_);
}

Status MqttLink::Publish(std::string_view payload, bool at_least_once) {
  if (!up_) return pawl::Fail(Reason::kUnavailable, "mqtt: not connected");
  const int code = mosquitto_publish_v5(client_, nullptr, up_topic_.c_str(), static_cast<int>(payload.size()),
                                        payload.data(), at_least_once ? 1 : 0, false, nullptr);
  if (code != MOSQ_ERR_SUCCESS) return pawl::Fail(Reason::kUnavailable, mosquitto_strerror(code));
  return {};
}

void MqttLink::Restart(bool at_once) {
  if (client_ != nullptr) mosquitto_disconnect_v5(client_, 0, nullptr);
  Drop(MonotonicMs());
  if (at_once) next_ms_ = 0;
}

void MqttLink::AddTo(std::vector<pollfd>& fds) const {
  if (client_ == nullptr || mosquitto_socket(client_) < 0) return;
  const int events = POLLIN | (mosquitto_want_write(client_) ? POLLOUT : 0);
  fds.push_back({mosquitto_socket(client_), static_cast<short>(events), 0});
}

void MqttLink::Service(const std::vector<pollfd>& fds, std::uint64_t now_ms) {
  if (stage_ == Stage::kWaiting && now_ms >= next_ms_) Connect(now_ms);
  if (stage_ == Stage::kResolving) {
    next_ms_ = now_ms + kResolvePollMs;
    if (const auto address = resolver_.Take()) {
      const Status opened = *address ? Open(**address) : Status(std::unexpected(address->error()));
      if (!opened) Fail(opened.error().detail.view());
    }
  }
  if (stage_ == Stage::kOpen && !failed_) {
    const int fd = mosquitto_socket(client_);
    for (const pollfd& ready : fds) {
      if (ready.fd == fd) ServiceSocket(ready.revents);
    }
    if (!failed_ && mosquitto_loop_misc(client_) != MOSQ_ERR_SUCCESS) Fail("connection lost");
    next_ms_ = now_ms + kMiscMs;
  }
  if (stage_ != Stage::kWaiting && !up_ && now_ms >= give_up_ms_) Fail("no answer in time");
  if (failed_) Drop(now_ms);
}

// libmosquitto connects in steps, each with either event; TLS may hold bytes that the socket no longer shows.
void MqttLink::ServiceSocket(short events) {
  int code = MOSQ_ERR_SUCCESS;
  if ((events & POLLOUT) != 0) code = mosquitto_loop_write(client_, 1);
  if (code == MOSQ_ERR_SUCCESS && (events & (POLLIN | POLLERR | POLLHUP)) != 0) {
    const auto* ssl = static_cast<const SSL*>(mosquitto_ssl_get(client_));
    int reads = 0;
    do {
      code = mosquitto_loop_read(client_, 1);
      ssl = static_cast<const SSL*>(mosquitto_ssl_get(client_));
    } while (code == MOSQ_ERR_SUCCESS && ssl != nullptr && SSL_pending(ssl) > 0 && ++reads < kMaxReads);
  }
  if (code != MOSQ_ERR_SUCCESS && code != MOSQ_ERR_CONN_PENDING) Fail(mosquitto_strerror(code));
}

void MqttLink::Connect(std::uint64_t now_ms) {
  stage_ = Stage::kResolving;
  failed_ = false;
  give_up_ms_ = now_ms + kConnectMs;
  resolver_.Start(options_.broker.host);
}

Status MqttLink::Open(const std::string& address) {
  PAWL_ASSIGN(context_, tls_->MakeContext(options_.broker.host));
  used_tls_ = tls_;
  client_ = mosquitto_new(options_.device.c_str(), true, this);
  PAWL_ASSERT(client_ != nullptr);
  stage_ = Stage::kOpen;
  mosquitto_int_option(client_, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
  mosquitto_int_option(client_, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_int_option(client_, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
  mosquitto_void_option(client_, MOSQ_OPT_SSL_CTX, context_.get());
  mosquitto_username_pw_set(client_, options_.device.c_str(), nullptr);
  mosquitto_connect_v5_callback_set(client_, [](mosquitto* m, void* self, int code, int flags,
                                                const mosquitto_property* p) { OnConnect(m, self, code, flags, p); });
  mosquitto_subscribe_v5_callback_set(
      client_, [](mosquitto* m, void* self, int id, int count, const int* granted, const mosquitto_property* p) {
        OnSubscribe(m, self, id, count, granted, p);
      });
  mosquitto_message_v5_callback_set(client_, [](mosquitto* m, void* self, const mosquitto_message* message,
                                                const mosquitto_property* p) { OnMessage(m, self, message, p); });
  mosquitto_disconnect_v5_callback_set(
      client_, [](mosquitto* m, void* self, int code, const mosquitto_property* p) { OnDisconnect(m, self, code, p); });
  const char* bind = options_.bind_address.empty() ? nullptr : options_.bind_address.c_str();
  const int code = mosquitto_connect_bind_async(client_, address.c_str(), options_.broker.port, kKeepAliveS, bind);
  if (code == MOSQ_ERR_ERRNO) return pawl::Fail(Reason::kUnavailable, std::strerror(errno));
  if (code != MOSQ_ERR_SUCCESS) return pawl::Fail(Reason::kUnavailable, mosquitto_strerror(code));
  return {};
}

void MqttLink::Fail(std::string_view what) {
  if (failed_) return;
  failed_ = true;
  if (last_trouble_ == what) return;
  last_trouble_ = what;
  Log("mqtt: " + last_trouble_ + " (" + options_.broker.host + ":" + std::to_string(options_.broker.port) + ")");
}

void MqttLink::Drop(std::uint64_t now_ms) {
  if (client_ != nullptr) mosquitto_destroy(client_);
  client_ = nullptr;
  context_.reset();
  failed_ = false;
  stage_ = Stage::kWaiting;
  next_ms_ = now_ms + FullJitter(options_.backoff, tries_, DrawRandom().jitter);
  tries_ = std::min(tries_ + 1, kBackoffTriesMax);
  if (!up_) return;
  up_ = false;
  callbacks_.down();
}

void MqttLink::OnConnect(mosquitto*, void* self, int code, int, const void*) {
  auto& link = *static_cast<MqttLink*>(self);
  if (code != 0) {
    link.Fail(std::string("refused: ") + mosquitto_reason_string(code));
    return;
  }
  mosquitto_subscribe_v5(link.client_, nullptr, link.down_topic_.c_str(), 1, 0, nullptr);
}

void MqttLink::OnSubscribe(mosquitto*, void* self, int, int count, const int* granted, const void*) {
  auto& link = *static_cast<MqttLink*>(self);
  if (count < 1 || granted[0] >= kSubscriptionRefused) {
    link.Fail("refused: the subscription");
    return;
  }
  Log("mqtt: connected");
  link.up_ = true;
  link.tries_ = 0;
  link.last_trouble_.clear();
  link.callbacks_.up();
}

void MqttLink::OnMessage(mosquitto*, void* self, const mosquitto_message* message, const void*) {
  auto& link = *static_cast<MqttLink*>(self);
  if (!link.up_ || link.down_topic_ != message->topic) return;
  link.callbacks_.message({static_cast<const char*>(message->payload), static_cast<std::size_t>(message->payloadlen)});
}

void MqttLink::OnDisconnect(mosquitto*, void* self, int code, const void*) {
  static_cast<MqttLink*>(self)->Fail(std::string("disconnected: ") + mosquitto_reason_string(code));
}

}  // namespace pawl::agent
