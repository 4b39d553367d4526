// The command channel: the MQTT broker (a supervised child, or another one by configuration), the registry's view for
// its plugin, and the device protocol between broker and database.
//
// Order     an answer is sent only after the transaction that it tells of is durable; on trouble storing there is none,
//           and the device tells again.
// Identity  a message's sender is the device of its topic: the broker lets a device publish to its own alone.
// Bounds    kMaxPending messages wait for the database, kMaxPendingPerDevice of one device; kMaxPermitQueue permits
// wait
//           for the signer. What comes on top is dropped and counted; the devices tell and ask again.
// Threads   all methods may be called from any thread, but not from the database's writer thread.
// Lifetime  the database outlives the channel.
//
// Source  docs/spec/protocol.md, docs/ops/broker.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/io/channel/broker.h"
#include "platform/io/data/database.h"
#include "platform/io/data/reports.h"
#include "trust/manifest/manifest.h"

namespace pawl {

inline constexpr std::size_t kMaxPending = 4096;
inline constexpr std::size_t kMaxPendingPerDevice = 16;
inline constexpr std::size_t kMaxPermitQueue = 4096;

// Any MQTT 5 broker that holds each device to its own topics (docs/ops/broker.md).
struct ExternalBroker {
  std::string host;
  std::uint16_t port = 8883;
  std::string ca;           // PEM: who signed the broker's certificate
  std::string certificate;  // PEM: ours
  std::string key;
  std::string username;  // empty: none
};

struct ChannelConfig {
  std::optional<EmbeddedBroker> embedded;  // exactly one of the two
  std::optional<ExternalBroker> external;
  std::string view;  // where the registry's view is written; empty: <embedded.directory>/view, or none
  data::ChannelOptions options;
};

// Signs a permit with the director key; may block for seconds. SignerClient::SignPermit in pawld.
using PermitSigner = std::function<Result<std::vector<std::uint8_t>>(const Permit&)>;
enum class LogLevel : std::uint8_t { kInfo, kWarning, kError };
using LogLine = std::function<void(LogLevel, std::string_view)>;

struct ChannelHealth {
  bool ok = false;      // the platform is connected to the broker and subscribed
  std::string problem;  // why not, one sentence
  std::uint64_t broker_restarts = 0;
};

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

class Channel {
 public:
  Channel(ChannelConfig config, data::Database& database, PermitSigner signer, LogLine log);
  ~Channel();  // Stop()
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Call after the database was opened and before anything was written to it in this process (OnCommit). Returns when
  // the embedded broker was started and the view stands; the connection follows, see health().
  // Errors: invalid argument, not found (a file, the user), i/o error; each names what is wrong.
  Status Start();
  void Stop();

  ChannelHealth health() const;
  ChannelMetrics metrics() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl
