// A scripted MQTT client for tests: a thread receives, the test waits for what it expects.
#pragma once

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/assert.h"

namespace pawl::test {

struct ClientOptions {
  std::uint16_t port = 0;
  std::string client_id;
  std::string username;              // empty: none
  std::string ca, certificate, key;  // empty certificate: none presented; empty ca: no TLS
  std::string auth_method;           // empty: none
};

struct Received {
  std::string topic, payload;
};

class Client {
 public:
  static constexpr std::chrono::seconds kDeadline{20};

  explicit Client(const ClientOptions& options) {
    mosquitto_lib_init();
    client_ = mosquitto_new(options.client_id.c_str(), true, this);
    mosquitto_int_option(client_, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_int_option(client_, MOSQ_OPT_TCP_NODELAY, 1);
    if (!options.username.empty()) mosquitto_username_pw_set(client_, options.username.c_str(), nullptr);
    if (!options.ca.empty()) {
      const auto path = [](const std::string& file) { return file.empty() ? nullptr : file.c_str(); };
      mosquitto_tls_set(client_, options.ca.c_str(), nullptr, path(options.certificate), path(options.key), nullptr);
    }
    mosquitto_connect_v5_callback_set(client_, [](mosquitto*, void* self, int code, int, const mosquitto_property*) {
      static_cast<Client*>(self)->Note([&](Client& client) { client.connack_ = code; });
    });
    mosquitto_disconnect_v5_callback_set(client_, [](mosquitto*, void* self, int, const mosquitto_property*) {
      static_cast<Client*>(self)->Note([](Client& client) { client.lost_ = true; });
    });
    mosquitto_subscribe_callback_set(client_, [](mosquitto*, void* self, int, int, const int* granted) {
      static_cast<Client*>(self)->Note([&](Client& client) { client.suback_ = granted[0]; });
    });
    mosquitto_publish_v5_callback_set(client_, [](mosquitto*, void* self, int, int code, const mosquitto_property*) {
      static_cast<Client*>(self)->Note([&](Client& client) {
        ++client.published_;
        client.puback_ = code;
      });
    });
    mosquitto_message_callback_set(client_, [](mosquitto*, void* self, const mosquitto_message* message) {
      const std::string payload(static_cast<const char*>(message->payload),
                                message->payload == nullptr ? 0 : static_cast<std::size_t>(message->payloadlen));
      static_cast<Client*>(self)->Note([&](Client& client) { client.inbox_.push_back({message->topic, payload}); });
    });
    mosquitto_property* properties = nullptr;
    if (!options.auth_method.empty()) {
      mosquitto_property_add_string(&properties, MQTT_PROP_AUTHENTICATION_METHOD, options.auth_method.c_str());
    }
    if (mosquitto_connect_bind_v5(client_, "127.0.0.1", options.port, 60, nullptr, properties) != MOSQ_ERR_SUCCESS) {
      lost_ = true;  // refused so soon that the library calls nobody
    }
    mosquitto_property_free_all(&properties);
    mosquitto_threaded_set(client_, true);
    // Ends with the connection: a test reconnects by a new client.
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested() && mosquitto_loop(client_, 100, 1) == MOSQ_ERR_SUCCESS) {
      }
      Note([](Client& client) { client.lost_ = true; });
    });
  }
  ~Client() {
    thread_.request_stop();
    mosquitto_disconnect(client_);
    thread_.join();
    mosquitto_destroy(client_);
    mosquitto_lib_cleanup();
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // CONNACK's code; -1 if the connection was lost without one (TLS said no); -2 after the deadline.
  int Connack() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kDeadline, [this] { return connack_ || lost_; });
    return connack_ ? *connack_ : lost_ ? -1 : -2;
  }
  bool Admitted() { return Connack() == 0; }
  bool WaitLost(std::chrono::milliseconds within = kDeadline) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, within, [this] { return lost_; });
  }
  bool lost() {
    const std::scoped_lock lock(mutex_);
    return lost_;
  }
  // SUBACK's code: the granted QoS, or 128 and above.
  int Subscribe(const std::string& filter) {
    {
      const std::scoped_lock lock(mutex_);
      suback_.reset();
    }
    mosquitto_subscribe(client_, nullptr, filter.c_str(), 1);
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kDeadline, [this] { return suback_.has_value() || lost_; });
    return suback_.value_or(-1);
  }
  // PUBACK's code, or -1.
  int Publish(const std::string& topic, std::string_view payload, bool retain = false) {
    std::unique_lock lock(mutex_);
    const std::uint64_t before = published_;
    lock.unlock();
    Send(topic, payload, 1, retain);
    lock.lock();
    changed_.wait_for(lock, kDeadline, [&] { return published_ > before || lost_; });
    return published_ > before ? puback_ : -1;
  }
  void Send(const std::string& topic, std::string_view payload, int qos = 1, bool retain = false) {
    mosquitto_publish_v5(client_, nullptr, topic.c_str(), static_cast<int>(payload.size()), payload.data(), qos, retain,
                         nullptr);
  }
  // The next message for which `wanted` holds; those before it are dropped. Nothing after the deadline.
  std::optional<Received> WaitMessage(
      const std::function<bool(const Received&)>& wanted = [](const Received&) { return true; },
      std::chrono::milliseconds within = kDeadline) {
    std::unique_lock lock(mutex_);
    std::optional<Received> found;
    changed_.wait_for(lock, within, [&] {
      while (!found && !inbox_.empty()) {
        if (wanted(inbox_.front())) found = inbox_.front();
        inbox_.pop_front();
      }
      return found.has_value();
    });
    return found;
  }
  std::size_t Waiting() {
    const std::scoped_lock lock(mutex_);
    return inbox_.size();
  }

 private:
  void Note(const std::function<void(Client&)>& change) {
    {
      const std::scoped_lock lock(mutex_);
      change(*this);
    }
    changed_.notify_all();
  }

  mosquitto* client_ = nullptr;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<int> connack_, suback_;
  int puback_ = -1;
  std::uint64_t published_ = 0;
  bool lost_ = false;
  std::deque<Received> inbox_;
  std::jthread thread_;
};

}  // namespace pawl::test
