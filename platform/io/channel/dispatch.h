// The device protocol between broker and database: decodes what comes in, runs its transaction, sends the answer after
// the commit. What a message means is decided in platform/io/data/reports.h.
//
// Threads  OnMessage from the MQTT client's thread; the rest from any.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "platform/io/channel/permit_desk.h"
#include "platform/io/data/database.h"
#include "platform/io/data/events.h"
#include "platform/io/data/reports.h"
#include "wire/messages.h"

namespace pawl {

inline constexpr std::size_t kMaxPending = 4096;
inline constexpr std::size_t kMaxPendingPerDevice = 16;
inline constexpr std::chrono::seconds kWarnAgainAfter{60};  // about one device's malformed messages
inline constexpr std::size_t kMaxWarnedDevices = 100;       // in that time

enum class LogLevel : std::uint8_t { kInfo, kWarning, kError };
using LogLine = std::function<void(LogLevel, std::string_view)>;

// Counters since the start, but for the last group: gauges.
struct ChannelMetrics {
  std::uint64_t hello = 0, state = 0, ready = 0, progress = 0;  // well-formed messages from devices
  std::uint64_t malformed = 0;                                  // dropped: not decodable
  std::uint64_t overload = 0;                                   // dropped: over a bound above
  std::uint64_t not_stored = 0;                                 // the database refused: no answer was sent
  std::uint64_t sent = 0;                                       // messages to devices
  std::uint64_t unsent = 0;  // dropped: no connection to the broker, or its queue full
  std::uint64_t permits_signed = 0, permits_failed = 0;
  std::uint64_t links_up = 0, links_down = 0;  // connections of devices
  std::uint64_t view_writes = 0;
  std::uint64_t broker_connects = 0;

  std::uint64_t connected_devices = 0;
  std::uint64_t pending = 0;
  std::uint64_t pending_permits = 0;
  std::uint64_t view_generation = 0;
};

class Dispatch {
 public:
  // Sends to a device; false: there is no way to it now.
  using Send = std::function<bool(const std::string& device, const wire::Down& message)>;

  Dispatch(data::Database& database, data::ChannelOptions options, PermitSigner signer, Send send, LogLine log);
  ~Dispatch() { Stop(); }
  Dispatch(const Dispatch&) = delete;
  Dispatch& operator=(const Dispatch&) = delete;

  void Start();
  // Returns when nothing of ours waits in the database any more.
  void Stop();

  void OnMessage(std::string_view topic, std::string_view payload);
  // We have no connection to the broker; the devices may still have theirs, and go on in their sessions later.
  void OnConnectionLost();
  // The broker itself is gone, and all connections with it.
  void OnBrokerGone();

  // Sends the jobs and cancels that wait in the database. Blocks.
  void SendOutgoing();
  // Stores the newest progress of each device. Blocks.
  void StoreProgress();
  // Jobs whose deadline passed. Blocks.
  void MarkTimedOut();

  void Emit(data::EventKind kind, std::string text, std::string device = {});
  ChannelMetrics metrics() const;

 private:
  using Work = std::function<Status(sql::Tx&)>;
  void OnLink(const std::string& device, std::string_view payload);
  void OnUp(const std::string& device, std::string_view payload);
  void On(const std::string& device, const wire::Hello& hello);
  void On(const std::string& device, const wire::StateReport& report);
  void On(const std::string& device, const wire::Ready& ready);
  void On(const std::string& device, const wire::Progress& progress);
  void OnPermit(const data::PermitFacts& facts, const Result<std::vector<std::uint8_t>>& permit);

  // Runs `work` in the database, then, if it was stored, `then`.
  void Store(const std::string& device, Work work, std::function<void()> then);
  // The same, bounded by kMaxPending and kMaxPendingPerDevice.
  void StoreMessage(const std::string& device, Work work, std::function<void()> then);
  void Run(const std::string& device, Work work, std::function<void(const Status&)> done);
  void Malformed(const std::string& device, const Error& error);
  void SendTo(const std::string& device, const wire::Down& message);
  void Wait(const data::PermitFacts& facts, const std::string& why);
  void Count(std::uint64_t ChannelMetrics::* counter);

  data::Database& database_;
  const data::ChannelOptions options_;
  const Send send_;
  const LogLine log_;

  mutable std::mutex mutex_;
  std::condition_variable idle_;
  ChannelMetrics metrics_;
  std::size_t outstanding_ = 0;  // works given to the database and not answered
  std::unordered_map<std::string, std::size_t> pending_;
  std::set<std::string> connected_;
  std::map<std::string, wire::Progress> progress_;  // at most kMaxPending devices
  std::unordered_map<std::string, std::chrono::steady_clock::time_point> warned_;

  PermitDesk permits_;
};

}  // namespace pawl
