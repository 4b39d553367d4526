// What the update machine wants done, as data. The edge performs a step's actions in their order; where one fails, the
// rest of the step is dropped and the failure is fed back.
#pragma once

#include <variant>
#include <vector>

#include "agent/core/ledger.h"
#include "trust/manifest/manifest.h"

namespace pawl::agent::action {

struct Send {  // dropped if the channel is gone; progress travels at QoS 0
  wire::Up message;
};
struct PersistLedger {  // durable before the next action. Failure: LedgerFailed
  Ledger ledger;
};
// Leaves, resume, chunks into the staging slot. Outcome: FetchBegan, Progress, then Fetched or FetchFailed. Replaces a
// download that runs.
struct Fetch {
  Digest digest{};
  Manifest manifest;
  std::vector<wire::Source> sources;
};
struct StopFetch {};  // and sealing; no outcome
// Writes the envelope, flushes, reads the image back from the slot, hashes it, verifies the signature again.
// Outcome: Sealed or SealFailed.
struct Seal {
  std::vector<std::uint8_t> envelope;
  Digest image_digest{};
  std::uint64_t image_bytes = 0;
};
// Changes of the boot record, each durable before its outcome: BootChanged or BootRefused.
struct SetPending {  // F1
  std::uint64_t job = 0;
  Digest digest{};
};
struct Confirm {};  // F2
struct FailTrial {  // F3; no outcome: a reboot follows
  Reason reason = Reason::kNone;
  std::string detail;
};
struct SettleRollback {  // F4
  std::uint32_t trial = 0;
  std::uint64_t job = 0;
};
struct SettleEmergency {  // F5
  std::uint16_t count = 0;
};
struct RaiseFloor {  // F6
  std::uint32_t value = 0;
};
struct RunSelfTests {};  // outcome: TestsPassed or TestFailed
struct Disconnect {};    // the channel starts anew, with its backoff
struct Reboot {};

}  // namespace pawl::agent::action

namespace pawl::agent {

using Action =
    std::variant<action::Send, action::PersistLedger, action::Fetch, action::StopFetch, action::Seal,
                 action::SetPending, action::Confirm, action::FailTrial, action::SettleRollback,
                 action::SettleEmergency, action::RaiseFloor, action::RunSelfTests, action::Disconnect, action::Reboot>;
using Actions = std::vector<Action>;

}  // namespace pawl::agent
