// The command channel: the MQTT broker (a supervised child, or another one by configuration), the registry's view for
// its plugin, and the device protocol between broker and database.
//
// Order     an answer is sent only after the transaction that it tells of is durable; on trouble storing there is none,
//           and the device tells again.
// Identity  a message's sender is the device of its topic: the broker lets a device publish to its own alone.
// Bounds    kMaxPending messages wait for the database, kMaxPendingPerDevice of one device; kMaxPermitQueue permits
// wait for
//           the signer. What comes on top is dropped and counted; the devices tell and ask again.
// Threads   all methods may be called from any thread, but not from the database's writer thread.
// Lifetime  the database outlives the channel.
//
// Source  docs/spec/protocol.md, docs/ops/broker.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/io/channel/broker.h"
#include "platform/io/channel/dispatch.h"
#include "platform/io/data/database.h"
#include "platform/io/data/reports.h"

namespace pawl {

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
  data::ChannelOptions options;
};

struct ChannelHealth {
  bool ok = false;                    // the platform is connected to the broker and subscribed
  std::string problem;                // why not, one sentence
  std::uint64_t broker_restarts = 0;  // of the embedded broker
  int broker_pid = 0;                 // 0: it does not run, or is not ours
};

class Channel {
 public:
  // Before anything is written to the database (Database::OnCommit). Nothing runs yet.
  Channel(ChannelConfig config, data::Database& database, PermitSigner signer, LogLine log);
  ~Channel();  // Stop()
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Returns when the view stands and the embedded broker was started; the connection follows, see health().
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
