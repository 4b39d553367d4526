// The job ledger: what a device's message means, given what the platform has stored. Pure: no SQL, no clock, no
// randomness.
//
// A device tells its whole state as a numbered snapshot; the newest wins. So loss, repetition and reordering need no
// logic of their own: an older snapshot changes nothing, and what a job is only climbs the lattice of job_status.h.
//
// Shapes  in: DeviceView and JobViews (what is stored) and a message. out: what to store, and what to answer.
// Errors  none: every message has a meaning, "dropped" being one.
// Source  docs/spec/protocol.md, rules for the platform (numbered 1..7).
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "platform/core/job_status.h"
#include "wire/messages.h"

namespace pawl::platform {

inline constexpr std::size_t kMaxRemembered = 8;  // boots and nonces of a device

struct DeviceView {
  std::optional<wire::State> told;  // the newest snapshot; none before the first hello
  std::vector<wire::BootId> boots;  // the last ones, newest last, at most kMaxRemembered
  std::vector<Nonce> nonces;        // of the last hellos, likewise
  wire::Session session = 0;        // 0: none
  std::uint64_t highest_n = 0;      // the highest job number ever given to it or shown by it
};

struct JobView {
  std::uint64_t n = 0;
  Digest manifest_digest{};
  Digest image_digest{};
  JobStatus status = JobStatus::kQueued;
  bool timed_out = false;
  bool cancelling = false;         // cancel asked for; the device has not confirmed
  bool permitted = false;          // a permit was granted: counted as started, for ever
  std::uint32_t trial_before = 0;  // the device's trial count when the job was first offered
  std::uint32_t trial = 0;         // the number of the job's own trial; 0: not known yet
  Reason reason = Reason::kNone;
  std::string detail;
  std::vector<wire::Step> steps;
  friend bool operator==(const JobView&, const JobView&) = default;
};

// How a snapshot stands to the stored one.
enum class Standing : std::uint8_t {
  kFirst,       // nothing was stored
  kNewer,       // same journal, higher rev
  kSame,        // the stored one again
  kOlder,       // same journal, lower rev
  kNewJournal,  // the device lost its ledger
  kFork,        // same journal and rev, other content: two holders of one identity (rule 1)
};
Standing Compare(const std::optional<wire::State>& told, const wire::State& shown);

// What to do with a hello.
enum class HelloVerdict : std::uint8_t {
  kAccept,    // a new session
  kRepeated,  // the newest hello again: same session, same answer
  kLate,      // an older hello, overtaken: drop
  kFork,      // rule 1: quarantine
};
HelloVerdict JudgeHello(const DeviceView& device, const wire::Hello& hello);
// The device after an accepted hello; `session` is fresh and random. The snapshot is Interpret's matter.
DeviceView WithHello(DeviceView device, const wire::Hello& hello, wire::Session session);

// What to do with a state report.
enum class ReportVerdict : std::uint8_t { kAccept, kDrop, kFork };  // dropped: other session (rule 3), or older
ReportVerdict JudgeReport(const DeviceView& device, const wire::StateReport& report);

// What a snapshot changes. Precondition: its standing is none of kOlder and kFork.
struct Interpretation {
  Standing standing = Standing::kSame;
  std::vector<JobView> changed;              // jobs that are something else now
  bool restored_platform = false;            // rule 2: the database never gave what the device shows
  std::optional<wire::Owed> rollback;        // told by this snapshot; key (device, job, trial)
  std::optional<wire::Emergency> emergency;  // not told by the stored snapshot
  wire::Settled settled;                     // debts that are stored once this snapshot is
  std::uint64_t highest_n = 0;
};
// `jobs`: the device's newest job, and those that the snapshot names (its job, its debt), each once.
// `fresh_session`: the snapshot came in a hello, so nothing sent before can still arrive.
Interpretation Interpret(const DeviceView& device, std::span<const JobView> jobs, const wire::State& shown,
                         bool fresh_session);

// One job after one snapshot (rule 5). Never lower than before.
JobView Advance(JobView job, const wire::State& shown, bool fresh_session);

// What a device is told about its newest job, at hello and whenever that changes.
enum class Word : std::uint8_t { kNothing, kOffer, kCancel };
// `may_offer`: the job's campaign runs.
Word WordAbout(const JobView& job, bool may_offer);

// May this device boot its staged image now? (rule 6)
struct PermitCase {
  bool campaign_runs = false;
  bool class_fits = false;  // what the hello said is the release's vendor and class
  std::uint64_t board_revision = 0;
  std::uint64_t floor = 0;
  std::uint64_t sequence = 0;  // of the release
  std::uint64_t security_version = 0;
  std::uint64_t min_board_revision = 0;
};
struct PermitDecision {
  enum class Kind : std::uint8_t { kGrant, kWait, kDrop } kind = Kind::kDrop;
  std::string_view why;  // for people, unless granted. Lifetime: static
};
// `job`: the device's newest job, if it has one.
PermitDecision DecidePermit(const DeviceView& device, const JobView* job, const PermitCase& facts,
                            const wire::Ready& ready);

}  // namespace pawl::platform
