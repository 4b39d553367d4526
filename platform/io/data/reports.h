// The device channel's transactions: what a message of a device changes, and what to answer. The meaning is decided by
// platform/core/ledger.h; here it is stored. Send an answer only after the commit: no ack on trouble storing.
//
// Source  docs/spec/protocol.md.
#pragma once

#include "platform/io/data/common.h"
#include "platform/io/data/jobs.h"
#include "wire/messages.h"

namespace pawl::data {

struct ChannelOptions {
  // Where devices fetch payloads: "<base>/<sha-256 hex>" and "....leaves". At least one.
  std::vector<std::string> source_bases;
  std::uint32_t permit_life_s = 120;
  std::uint32_t acknowledge_within_s = kAcknowledgeWithinS;  // else the job is marked timed out
  std::uint32_t permit_wait_s = 30;                          // told to a device whose permit must wait
};

// A message to send to a device after the commit.
struct Outgoing {
  std::string device;
  wire::Down message;
};

// Nothing: the message is dropped (no such device, not active, another session, an old repetition).
// An identity fork answers nothing and quarantines.
Result<std::optional<wire::Welcome>> HandleHello(sql::Tx& tx, std::string_view device, const wire::Hello& hello,
                                                 const ChannelOptions& options);
// The ack, and an offer or a cancel if one waits for this device.
Result<std::vector<wire::Down>> HandleState(sql::Tx& tx, std::string_view device, const wire::StateReport& report,
                                            const ChannelOptions& options);

// A permit to be signed by the director key and sent. The started credit is stored with it: sign after the commit.
struct PermitFacts {
  wire::Session session = 0;
  std::uint64_t job = 0;
  std::string job_id;
  std::string device;
  Digest manifest_digest{};
  Nonce nonce{};
  std::uint32_t use_within_s = 0;
};
// Monostate: dropped. PermitAnswer: wait, with why.
using ReadyAnswer = std::variant<std::monostate, wire::PermitAnswer, PermitFacts>;
Result<ReadyAnswer> HandleReady(sql::Tx& tx, std::string_view device, const wire::Ready& ready,
                                const ChannelOptions& options);
// The permit could not be signed (the text says why), or could at last (empty text). Shown as the job's `waiting`.
Status NotePermitWaiting(sql::Tx& tx, std::string_view job_id, std::string_view text);

// Progress is not worth a commit of its own: collect the newest of each device and store them now and then.
struct ProgressReport {
  std::string device;
  wire::Progress progress;
};
Status StoreProgress(sql::Tx& tx, const std::vector<ProgressReport>& reports);

// The transport lost the device, or pawld starts and knows of no connection.
Status Disconnected(sql::Tx& tx, std::string_view device);
Status DisconnectedAll(sql::Tx& tx);

// Queued jobs and unsent cancels for connected, active devices; marks them sent. Call it after commits, until empty.
// What is lost on the way is sent again after the device's next hello.
Result<std::vector<Outgoing>> TakeOutgoing(sql::Tx& tx, const ChannelOptions& options, std::size_t limit);

}  // namespace pawl::data
