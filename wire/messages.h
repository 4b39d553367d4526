// The messages between a device and the platform, version 1: shapes and limits. What carries them is a transport's
// matter. Numbers are at most kMaxNumber; only a session uses all 64 bits. Text is UTF-8. Source:
// docs/spec/protocol.md. Encoding: wire/json.
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
inline constexpr std::size_t kMaxVersionBytes = 48;
inline constexpr std::size_t kMaxNameBytes = 64;    // agent version, component, encoding, step, attribute's name
inline constexpr std::size_t kMaxValueBytes = 128;  // an attribute's value
inline constexpr std::size_t kMaxUrlBytes = 1024;
inline constexpr std::size_t kMaxKeyIds = 16;
inline constexpr std::size_t kMaxEncodings = 8;
inline constexpr std::uint64_t kMaxNumber = (std::uint64_t{1} << 53) - 1;  // of rev, job n, sizes, times

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
  friend bool operator==(const TopicParts&, const TopicParts&) = default;
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
  kTrial,  // from here on derived from the boot record only
  kSucceeded,
  kRolledBack,
  kRefused,
  kCancelled,
};
std::string_view Text(Phase phase);  // "accepted", ..., "rolled_back"
Result<Phase> ParsePhase(std::string_view text);
inline bool IsTerminal(Phase phase) { return phase >= Phase::kSucceeded; }

enum class Mode : std::uint8_t { kNormal, kTrial, kUnproven };
std::string_view Text(Mode mode);  // "normal", "trial", "unproven"
Result<Mode> ParseMode(std::string_view text);

struct Step {  // one line of a job's timeline
  Phase phase = Phase::kAccepted;
  std::uint64_t at = 0;  // device time, seconds since 1970; only for people
  friend bool operator==(const Step&, const Step&) = default;
};
struct JobState {
  std::uint64_t n = 0;
  Digest digest{};  // SUIT_Digest of its manifest
  Phase phase = Phase::kAccepted;
  Reason reason = Reason::kNone;
  std::string detail;
  std::vector<Step> steps;  // at most kMaxSteps, oldest first
  friend bool operator==(const JobState&, const JobState&) = default;
};
struct RunningComponent {
  std::string component = "main";
  std::string slot;  // "A" or "B"
  Digest image_digest{};
  Digest manifest_digest{};
  std::string version;
  std::uint64_t sequence = 0;
  Mode mode = Mode::kUnproven;
  friend bool operator==(const RunningComponent&, const RunningComponent&) = default;
};
struct Owed {  // a rollback that the platform has not acknowledged yet
  std::uint32_t trial = 0;
  std::uint64_t job = 0;
  Digest digest{};
  Reason reason = Reason::kNone;
  std::string detail;
  friend bool operator==(const Owed&, const Owed&) = default;
};
struct Emergency {
  std::uint16_t count = 0;
  Reason reason = Reason::kNone;
  friend bool operator==(const Emergency&, const Emergency&) = default;
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
  friend bool operator==(const State&, const State&) = default;
};

// --- up ---

struct Attribute {
  std::string name;
  std::string value;
  friend bool operator==(const Attribute&, const Attribute&) = default;
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
  std::vector<Attribute> attributes;   // site, zone, ...
  std::string via;  // the gateway that speaks for the device, a name like a device id; empty: it speaks for itself
  friend bool operator==(const Hello&, const Hello&) = default;
};
struct StateReport {
  Session session = 0;
  State state;
  friend bool operator==(const StateReport&, const StateReport&) = default;
};
struct Ready {
  Session session = 0;
  std::uint64_t job = 0;
  Digest digest{};
  Nonce nonce{};
  friend bool operator==(const Ready&, const Ready&) = default;
};
struct Progress {
  Session session = 0;
  std::uint64_t job = 0;
  std::uint64_t bytes = 0;
  std::string step;
  friend bool operator==(const Progress&, const Progress&) = default;
};
using Up = std::variant<Hello, StateReport, Ready, Progress>;

// --- down ---

struct Settled {  // debts that the platform has stored
  std::optional<std::uint32_t> trial;
  std::optional<std::uint64_t> trial_job;
  std::optional<std::uint16_t> emergency;
  friend bool operator==(const Settled&, const Settled&) = default;
};
struct Ack {
  Session session = 0;
  Journal journal{};
  std::uint64_t rev = 0;
  Settled settled;
  friend bool operator==(const Ack&, const Ack&) = default;
};
struct Source {
  std::string url;
  std::string leaves_url;
  std::string encoding = "raw";
  friend bool operator==(const Source&, const Source&) = default;
};
struct Job {
  std::uint64_t n = 0;
  std::vector<Source> sources;
  std::vector<std::uint8_t> manifest;  // the envelope; authoritative
  std::string version;                 // for display; never trusted
  std::uint64_t size = 0;              // for display; never trusted
  friend bool operator==(const Job&, const Job&) = default;
};
struct Welcome {
  Nonce nonce{};
  Session session = 0;
  std::uint64_t time = 0;  // seconds since 1970
  Ack ack;
  std::optional<Job> job;
  bool cancelled = false;        // the device's current job was cancelled
  std::uint64_t cancel_job = 0;  // which
  bool raise_floor = false;      // the soak of `floor` is over
  std::uint32_t floor = 0;
  friend bool operator==(const Welcome&, const Welcome&) = default;
};
struct JobOffer {
  Session session = 0;
  Job job;
  friend bool operator==(const JobOffer&, const JobOffer&) = default;
};
struct Cancel {
  Session session = 0;
  std::uint64_t job = 0;
  std::string reason;
  friend bool operator==(const Cancel&, const Cancel&) = default;
};
struct PermitAnswer {  // either a permit, or wait_s with a reason
  Session session = 0;
  std::uint64_t job = 0;
  std::vector<std::uint8_t> permit;  // COSE_Sign1; empty: wait
  std::uint32_t wait_s = 0;
  std::string reason;
  friend bool operator==(const PermitAnswer&, const PermitAnswer&) = default;
};
using Down = std::variant<Welcome, JobOffer, Cancel, Ack, PermitAnswer>;

}  // namespace pawl::wire
