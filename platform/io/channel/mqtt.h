// The platform's MQTT 5 client: one connection to the broker, made again whenever it is lost.
//
// Clean start, session expiry 0: what was not delivered when the connection ends is gone; the device protocol expects
// no more. Backoff 50 ms, doubled up to 5 s, with jitter.
// Threads   one of its own, which alone touches the library; the callbacks come from it and must not block for long.
//           Publish may be called from any thread, from the callbacks too.
// Bounds    kMaxQueuedPublishes wait for the connection's thread; Publish drops what comes on top, or without
// connection.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"

struct mosquitto;

namespace pawl {

inline constexpr std::size_t kMaxQueuedPublishes = 16384;

struct MqttConfig {
  std::string host;        // name, address, or the path of a Unix socket
  std::uint16_t port = 0;  // 0: a Unix socket
  std::string client_id;
  std::string username;              // empty: none
  std::string ca, certificate, key;  // PEM files; empty ca: no TLS
  std::vector<std::string> filters;  // subscribed with QoS 1
  std::function<void(std::string_view topic, std::string_view payload)> on_message;
  // Up: connected and subscribed. Down: with the reason; also after each attempt that failed.
  std::function<void(bool up, const std::string& problem)> on_change;
};

class MqttClient {
 public:
  explicit MqttClient(MqttConfig config);
  ~MqttClient();  // Stop()
  MqttClient(const MqttClient&) = delete;
  MqttClient& operator=(const MqttClient&) = delete;

  void Start();
  void Stop();
  // QoS 1, not retained. Errors: unavailable (not connected, or too many wait).
  Status Publish(std::string topic, std::string payload);
  // There is reason to hope: do not wait out the backoff.
  void Hurry();

 private:
  struct Message {
    std::string topic, payload;
  };
  struct Callbacks;
  struct Session;
  void Run(std::stop_token stop);
  std::string RunSession(std::stop_token stop);
  std::string Pump(mosquitto* client, Session& session, std::stop_token stop);
  Status Connect(mosquitto* client);
  Status PublishQueued(mosquitto* client, Session& session);
  void Pause(std::stop_token stop);
  void SetUp(bool up, const std::string& problem);
  void Wake() const;

  MqttConfig config_;
  int wake_ = -1;  // eventfd
  std::mutex mutex_;
  std::condition_variable_any hurry_;
  bool hurried_ = false;
  bool up_ = false;
  std::deque<Message> queue_;
  unsigned failures_ = 0;  // in a row; the thread's own
  std::jthread thread_;
};

}  // namespace pawl
