// Who may connect to the broker, and what a connected client may do: the decisions of the plugin, without Mosquitto.
//
// A device is admitted if its certificate's CN, its username and its client id are one device id, and the registry's
// view admits that id with the certificate's key. It publishes to its own `up` topic and receives from its own `down`
// topic, nothing else. The platform's own client comes over the broker's Unix socket alone.
//
// Threads  one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/view.h"

namespace pawl::broker {

// A device may publish so many messages at once, and so many a second in the long run: well above what the protocol
// asks for. More is refused, so that one device cannot take the others' share of the platform.
inline constexpr double kMessageBurst = 100;
inline constexpr double kMessagesPerSecond = 20;

struct Certificate {
  std::string common_name;
  Digest pin{};  // SHA-256 of SubjectPublicKeyInfo
};
struct Peer {
  std::string_view client_id;
  std::string_view username;
  bool local_socket = false;                    // came over the broker's Unix socket
  std::optional<Certificate> certificate = {};  // verified against the device CA by the TLS layer
};

enum class Access : std::uint8_t { kPublish, kReceive, kSubscribe };

class Gate {
 public:
  explicit Gate(std::string view_path) : view_path_(std::move(view_path)) {}

  // `handle` tells the connections of one device apart. Errors: forbidden, with why.
  Status Connect(const void* handle, const Peer& peer, std::uint64_t now_ms);
  // True if this was the device's connection; false if it was never admitted, or another one has taken its place.
  bool Disconnect(const void* handle, std::string_view username);
  bool MayAccess(std::string_view username, std::string_view topic, Access access, std::uint64_t now_ms);
  // Looks for a newer view. Returns the connected devices that it no longer admits: throw them off.
  std::vector<std::string> Tick(std::uint64_t now_ms);

  // Why there is no view to decide by; empty: there is one.
  const std::string& problem() const { return problem_; }
  std::size_t connected() const { return connections_.size(); }

 private:
  struct Connection {
    const void* handle = nullptr;
    Digest pin{};
    std::string up_topic, down_topic;
    double tokens = kMessageBurst;
    std::uint64_t counted_at_ms = 0;
  };
  bool RefreshView(std::uint64_t now_ms);
  static bool TakeToken(Connection& connection, std::uint64_t now_ms);
  static bool PlatformMay(std::string_view topic, Access access);

  std::string view_path_;
  std::optional<View> view_;
  std::string problem_ = "the registry's view was not read yet";
  std::uint64_t tried_at_ms_ = 0;
  std::map<std::string, Connection, std::less<>> connections_;  // by device id
};

}  // namespace pawl::broker
