#include "broker/mosquitto/gate.h"

#include <algorithm>
#include <utility>

#include "broker/link.h"
#include "wire/messages.h"

namespace pawl::broker {
namespace {

constexpr std::uint64_t kRetryViewMs = 200;  // after a view that could not be read

std::unexpected<Error> Refuse(std::string_view why) { return Fail(Reason::kForbidden, why); }

Status CheckNames(const Peer& peer) {
  if (!peer.certificate) return Refuse("no certificate");
  if (!wire::IsDeviceId(peer.username)) return Refuse("its username is no device id");
  if (peer.certificate->common_name != peer.username) return Refuse("its certificate is another device's");
  if (peer.client_id != peer.username) return Refuse("its client id is not its device id");
  return {};
}

}  // namespace

Status Gate::Connect(const void* handle, const Peer& peer, std::uint64_t now_ms) {
  if (peer.local_socket) {
    if (peer.username == kPlatformClient && peer.client_id == kPlatformClient) return {};
    return Refuse("only the platform may use this socket");
  }
  PAWL_TRY(CheckNames(peer));
  RefreshView(now_ms);
  if (!view_) return Refuse(problem_);
  PAWL_TRY(Admit(view_->get(), peer.username, peer.certificate->pin, now_ms));
  Connection& connection = connections_[std::string(peer.username)];
  // A device that reconnects does not get a full bucket: the old connection's goes on.
  connection.handle = handle;
  connection.pin = peer.certificate->pin;
  connection.up_topic = wire::UpTopic(wire::kDefaultTenant, peer.username);
  connection.down_topic = wire::DownTopic(wire::kDefaultTenant, peer.username);
  return {};
}

bool Gate::Disconnect(const void* handle, std::string_view username) {
  const auto found = connections_.find(username);
  if (found == connections_.end() || found->second.handle != handle) return false;
  connections_.erase(found);
  return true;
}

bool Gate::MayAccess(std::string_view username, std::string_view topic, Access access, std::uint64_t now_ms) {
  if (username == kPlatformClient) return PlatformMay(topic, access);
  const auto found = connections_.find(username);
  if (found == connections_.end()) return false;
  Connection& connection = found->second;
  if (access == Access::kPublish) return topic == connection.up_topic && TakeToken(connection, now_ms);
  return topic == connection.down_topic;
}

std::vector<std::string> Gate::Tick(std::uint64_t now_ms) {
  std::vector<std::string> expelled;
  if (!RefreshView(now_ms)) return expelled;
  // Staleness is no reason to throw anybody off: a platform that stands still must not set off a storm.
  const std::uint64_t fresh = view_->get().heartbeat_ms();
  for (const auto& [id, connection] : connections_) {
    if (!Admit(view_->get(), id, connection.pin, fresh)) expelled.push_back(id);
  }
  return expelled;
}

// True if there is a new, valid view.
bool Gate::RefreshView(std::uint64_t now_ms) {
  if (view_ && view_->inode() == ViewInode(view_path_)) return false;
  if (!view_ && tried_at_ms_ != 0 && now_ms - tried_at_ms_ < kRetryViewMs) return false;
  tried_at_ms_ = now_ms;
  auto opened = View::Open(view_path_);
  if (!opened) {
    view_.reset();  // deny rather than decide by what was replaced
    problem_ = std::string(opened.error().detail.view()) + ": " + std::string(Text(opened.error().reason));
    return false;
  }
  view_.emplace(std::move(*opened));
  problem_.clear();
  return true;
}

bool Gate::TakeToken(Connection& connection, std::uint64_t now_ms) {
  const double passed_s = static_cast<double>(now_ms - connection.counted_at_ms) / 1000;
  connection.tokens = std::min(kMessageBurst, connection.tokens + passed_s * kMessagesPerSecond);
  connection.counted_at_ms = now_ms;
  if (connection.tokens < 1) return false;
  connection.tokens -= 1;
  return true;
}

bool Gate::PlatformMay(std::string_view topic, Access access) {
  switch (access) {
    case Access::kPublish:
      return topic.starts_with("pawl/1/") && topic.ends_with("/down");
    case Access::kSubscribe:
      return topic == kUpFilter || topic == kLinkFilter;
    case Access::kReceive:
      return wire::ParseUpTopic(topic).has_value() || DeviceOfLinkTopic(topic).has_value();
  }
  return false;
}

}  // namespace pawl::broker
