// The command channel over MQTT 5: Clean Start, session expiry 0, QoS 1, over libmosquitto. One thread, never blocking.
#pragma once

#include <poll.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/backoff.h"
#include "agent/io/config.h"
#include "agent/io/resolver.h"
#include "agent/io/tls.h"

struct mosquitto;
struct mosquitto_message;

namespace pawl::agent {

class MqttLink {
 public:
  // Called from within Service and Restart: they note what happened, they do not call back into the link.
  struct Callbacks {
    std::function<void()> up;    // connected and subscribed
    std::function<void()> down;  // was up, is gone
    std::function<void(std::string_view payload)> message;
  };
  struct Options {
    HostPort broker;
    std::string device;
    std::string bind_address;
    Backoff backoff;
  };
  MqttLink(Options options, Callbacks callbacks);
  ~MqttLink();
  MqttLink(const MqttLink&) = delete;
  MqttLink& operator=(const MqttLink&) = delete;

  void UseTls(std::shared_ptr<const Tls> tls) { tls_ = std::move(tls); }
  // Errors: unavailable (not up, or libmosquitto's).
  Status Publish(std::string_view payload, bool at_least_once);
  // Ends the connection; the next try follows with the backoff, or at once.
  void Restart(bool at_once);

  // The loop: what to wait for, when to call Service at the latest (TimePoint::ms), and what happened.
  void AddTo(std::vector<pollfd>& fds) const;
  std::uint64_t NextAt() const { return next_ms_; }
  void Service(const std::vector<pollfd>& fds, std::uint64_t now_ms);
  bool up() const { return up_; }

 private:
  void Connect(std::uint64_t now_ms);
  Status Open(const std::string& address);
  void Drop(std::uint64_t now_ms);
  void ServiceSocket(short events);
  void Fail(std::string_view what);

  static void OnConnect(mosquitto*, void* self, int code, int, const void*);
  static void OnSubscribe(mosquitto*, void* self, int, int count, const int* granted, const void*);
  static void OnMessage(mosquitto*, void* self, const mosquitto_message* message, const void*);
  static void OnDisconnect(mosquitto*, void* self, int code, const void*);

  Options options_;
  Callbacks callbacks_;
  std::shared_ptr<const Tls> tls_;
  std::shared_ptr<ssl_ctx_st> context_;  // of the present connection
  std::shared_ptr<const Tls> used_tls_;  // the context points into it
  mosquitto* client_ = nullptr;
  Resolver resolver_;
  std::string up_topic_;
  std::string down_topic_;
  bool up_ = false;
  bool failed_ = false;       // the present try is over
  std::string last_trouble_;  // told once, not at every try
  std::uint32_t tries_ = 0;
  std::uint64_t next_ms_ = 0;  // connect, or look after the connection
  std::uint64_t give_up_ms_ = 0;
  enum class Stage : std::uint8_t { kWaiting, kResolving, kOpen } stage_ = Stage::kWaiting;
};

}  // namespace pawl::agent
