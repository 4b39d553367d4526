// The update machine of the device: from a job to the boot record's commit, and from the new image's self-tests to its
// confirmation. Pure: no I/O, no clock, no chance.
//
// Total     an event that fits no row of the table returns the state unchanged and no actions.
// Table     agent/core/transitions.def; docs/spec/agent.md shows it, and a test compares the two.
// Invariants
//   M1  SetPending is asked for only after a permit that passed P1..P7 for the image that was read back since this
//   boot. M2  Nothing is fetched or sealed but in mode normal, with nothing pending. M3  A snapshot is sent only after
//   the ledger that numbers it was persisted, in the same step or before. M4  The job's number never goes down. M5
//   Confirm is asked for only after all self-tests passed; FailTrial only in a trial.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/core/actions.h"
#include "agent/core/backoff.h"
#include "agent/core/events.h"
#include "agent/core/permit_check.h"

namespace pawl::agent {

// What the device is; the same for the whole run of the agent.
struct Device {
  std::string id;  // its certificate's CN
  KeyTable anchors;
  RomIdentity identity;
  std::uint64_t slot_bytes = 0;
  std::uint32_t watchdog_s = 0;
  std::uint64_t build_time = 0;             // of the image, seconds since 1970: the first time floor
  std::uint64_t time_max = UINT64_MAX;      // end of the pinned CA's life: no platform time above it is believed
  wire::BootId boot{};                      // random, per boot
  std::string agent;                        // its version
  std::vector<wire::Attribute> attributes;  // site, gateway, zone, ...
  std::string via;                          // the gateway that speaks for it; empty: it speaks for itself
};

enum class Activity : std::uint8_t {
  kStarting,    // before the first event
  kTesting,     // trial or unproven: self-tests run, no job is taken
  kIdle,        // confirmed, nothing in hand
  kFetching,    // chunks into the staging slot
  kSealing,     // trailer, flush, read-back
  kReady,       // verified; asks for a permit
  kCommitting,  // the boot record's commit was asked for
  kCommitted,   // the point of no return is behind; waits a little for the acknowledgement
  kRebooting,
  kCount,
};
std::string_view Text(Activity activity);

inline constexpr std::uint64_t kAckWaitMs = 10'000;  // from the commit to the reboot, at most
inline constexpr std::uint64_t kRebootAgainMs = 30'000;
inline constexpr std::uint64_t kReadyMinMs = 30'000;
inline constexpr Backoff kReadyBackoff{.base_ms = 30'000, .cap_ms = 570'000};  // on top of the minimum: 30 s..10 min
inline constexpr std::uint64_t kReplyMinMs = 10'000;
inline constexpr Backoff kReplyBackoff{.base_ms = 10'000, .cap_ms = 300'000};  // a hello or state without an answer
inline constexpr std::uint32_t kWaitMaxS = 3600;    // longest wait that the platform may order
inline constexpr std::uint64_t kRetestMs = 60'000;  // unproven and failed: tests again
inline constexpr std::uint64_t kTimePersistS = 3600;
inline constexpr std::uint64_t kNever = UINT64_MAX;

// The job in hand; only while fetching to committing.
struct Offer {
  wire::Job job;
  Manifest manifest;
  Digest digest{};
};

struct State {
  const Device* device = nullptr;  // lifetime: the caller's, longer than the state
  BootFacts boot;
  Ledger ledger;
  bool unsaved = false;  // the ledger's last write failed
  Activity activity = Activity::kStarting;

  bool link = false;
  std::optional<Nonce> hello;  // sent, its welcome is awaited
  wire::Session session = 0;
  std::uint64_t acked_rev = 0;
  std::uint32_t replies_missed = 0;
  std::uint64_t resend_ms = kNever;  // hello or state again

  std::optional<Offer> offer;
  std::optional<OpenReady> ready;
  std::uint32_t readies = 0;
  std::uint64_t ready_ms = kNever;   // ready again
  std::uint64_t reboot_ms = kNever;  // reboot, or reboot again
  std::uint64_t retest_ms = kNever;
};

// ledger: what was found; nothing: a new device, or a lost ledger. `journal` is used then.
State Begin(const Device& device, const BootFacts& boot, const std::optional<Ledger>& ledger,
            const wire::Journal& journal);

struct Step {
  State next;
  Actions actions;
};
[[nodiscard]] Step Advance(const State& state, const Event& event, TimePoint now);

// When to feed Tick, in TimePoint::ms; kNever: not at all.
std::uint64_t Deadline(const State& state);

// Whether the agent may take, stage or boot a job now: its own image is confirmed and proven, and nothing is pending.
bool MayUpdate(const BootFacts& boot);
// Device time, seconds since 1970: the system clock, but never below the floor.
std::uint64_t DeviceTime(const State& state, TimePoint now);
// The time that expiry is measured by: max(image's build time, highest platform time seen). No clock can move it.
std::uint64_t TimeFloor(const State& state);

// The table, for the page and for tests.
struct TransitionRow {
  std::string_view id;
  std::uint32_t from;  // bits of Activity
  std::uint32_t on;    // bits of EventKind
  std::string_view from_text;
  std::string_view on_text;
  std::string_view when;
  std::string_view then;
  std::string_view next_text;
  Activity next;  // kCount: unchanged
};
std::span<const TransitionRow> Transitions();
// The row that Advance takes first for this event; nothing: ignored.
std::optional<std::string_view> RowFor(const State& state, const Event& event, TimePoint now);

}  // namespace pawl::agent
