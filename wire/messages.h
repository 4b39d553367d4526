// The messages between a device and the platform, version 1: shapes and limits. What carries them is a transport's matter.
// Source: docs/spec/protocol.md. Encoding: wire/json.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/reason.h"
#include "base/result.h"

namespace pawl::wire {

inline constexpr std::uint32_t kProtocolVersion = 1;
inline constexpr std::size_t kMaxMessageBytes = 16384;
inline constexpr std::size_t kMaxSteps = 16;
inline constexpr std::size_t kMaxSources = 8;
inline constexpr std::size_t kMaxComponents = 1;  // version 1; the messages carry lists
inline constexpr std::size_t kMaxAttributes = 16;
inline constexpr std::size_t kMaxDetailBytes = 240;
inline constexpr std::size_t kMaxIdBytes = 63;

// [a-z0-9][a-z0-9._-]{0,62}
bool IsDeviceId(std::string_view id);
inline constexpr std::string_view kDefaultTenant = "default";

// pawl/1/<tenant>/<device>/up and .../down
std::string UpTopic(std::string_view tenant, std::string_view device);
std::string DownTopic(std::string_view tenant, std::string_view device);
// The device of an up topic. Errors: malformed.
struct TopicParts {
  std::string tenant;
  std::string device;
};
Result<TopicParts> ParseUpTopic(std::string_view topic);

using Session = std::uint64_t;  // given by the platform in `welcome`; 0: none
using Journal = std::array<std::uint8_t, 16>;
using BootId = std::array<std::uint8_t, 16>;

enum class Phase : std::uint8_t {
  kAccepted,
  kDownloading,
  kVerified,
  kCommitted,
  kTrial,       // from here on derived from the boot record only
  kSucceeded,
  kRolledBack,
  kRefused,
  kCancelled,
};
std::string_view Text(Phase phase);  // "accepted", ..., "rolled_back"
Result<Phase> ParsePhase(std::string_view text);
inline bool IsTerminal(Phase phase) { return phase >= Phase::kSucceeded; }

enum class Mode : std::uint8_t { kNormal, kTrial, kUnproven };
std::string_view Text(Mode mode);

struct Step {  // one line of a job's timeline
  Phase phase = Phase::kAccepted;
  std::uint64_t at = 0;  // device time, seconds since 1970; only for people
};
struct JobState {
  std::uint64_t n = 0;
  Digest digest{};  // SUIT_Digest of its manifest
  Phase phase = Phase::kAccepted;
  Reason reason = Reason::kNone;
  std::string detail;
  std::vector<Step> steps;  // at most kMaxSteps, oldest first
};
struct RunningComponent {
  std::string component = "main";
  std::string slot;  // "A" or "B"
  Digest image_digest{};
  Digest manifest_digest{};
  std::string version;
  std::uint64_t sequence = 0;
  Mode mode = Mode::kUnproven;
};
struct Owed {  // a rollback that the platform has not acknowledged yet
  std::uint32_t trial = 0;
  std::uint64_t job = 0;
  Digest digest{};
  Reason reason = Reason::kNone;
  std::string detail;
};
struct Emergency {
  std::uint16_t count = 0;
  Reason reason = Reason::kNone;
};
// One numbered snapshot; the newest (journal, rev) wins.
struct State {
  Journal journal{};
  std::uint64_t rev = 0;
  std::optional<JobState> job;
  std::vector<RunningComponent> running;
  std::uint32_t trial = 0;  // trials ever started, by the boot record
  std::optional<Owed> owed;
  std::optional<Emergency> emergency;
};

// --- up ---

struct Attribute {
  std::string name;
  std::string value;
};
struct Hello {
  std::uint32_t proto = kProtocolVersion;
  BootId boot{};
  Nonce nonce{};
  State state;
  Uuid vendor{};
  Uuid cls{};
  std::uint64_t board_revision = 0;
  std::string agent;  // its version
  std::vector<KeyId> keys;
  std::uint32_t floor = 0;
  std::uint64_t slot_bytes = 0;
  std::uint32_t watchdog_s = 0;
  std::vector<std::string> encodings;  // "raw", ...
  std::vector<Attribute> attributes;   // site, gateway, zone, ...
};
struct StateReport {
  Session session = 0;
  State state;
};
struct Ready {
  Session session = 0;
  std::uint64_t job = 0;
  Digest digest{};
  Nonce nonce{};
};
struct Progress {
  Session session = 0;
  std::uint64_t job = 0;
  std::uint64_t bytes = 0;
  std::string step;
};
using Up = std::variant<Hello, StateReport, Ready, Progress>;

// --- down ---

struct Settled {  // debts that the platform has stored
  std::optional<std::uint32_t> trial;
  std::optional<std::uint64_t> trial_job;
  std::optional<std::uint16_t> emergency;
};
struct Ack {
  Session session = 0;
  Journal journal{};
  std::uint64_t rev = 0;
  Settled settled;
};
struct Source {
  std::string url;
  std::string leaves_url;
  std::string encoding = "raw";
};
struct Job {
  std::uint64_t n = 0;
  std::vector<Source> sources;
  std::vector<std::uint8_t> manifest;  // the envelope; authoritative
  std::string version;                 // for display; never trusted
  std::uint64_t size = 0;              // for display; never trusted
};
struct Welcome {
  Nonce nonce{};
  Session session = 0;
  std::uint64_t time = 0;  // seconds since 1970
  Ack ack;
  std::optional<Job> job;
  bool cancelled = false;       // the device's current job was cancelled
  std::uint64_t cancel_job = 0;  // which
  bool raise_floor = false;      // the soak of `floor` is over
  std::uint32_t floor = 0;
};
struct JobOffer {
  Session session = 0;
  Job job;
};
struct Cancel {
  Session session = 0;
  std::uint64_t job = 0;
  std::string reason;
};
struct PermitAnswer {  // either a permit, or wait_s with a reason
  Session session = 0;
  std::uint64_t job = 0;
  std::vector<std::uint8_t> permit;  // COSE_Sign1; empty: wait
  std::uint32_t wait_s = 0;
  std::string reason;
};
using Down = std::variant<Welcome, JobOffer, Cancel, Ack, PermitAnswer>;

}  // namespace pawl::wire
