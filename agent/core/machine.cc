#include "agent/core/machine.h"

#include <algorithm>
#include <array>

#include "agent/core/effects.h"
#include "agent/core/snapshot.h"
#include "base/assert.h"

namespace pawl::agent {
namespace {

constexpr std::size_t kMaxDerived = 8;  // a welcome brings at most four; each at most one more

constexpr std::uint32_t Bit(auto value) { return std::uint32_t{1} << static_cast<unsigned>(value); }

// --- guards: each looks, none changes ---

namespace guard {

bool Always(const State&, const Happening&, TimePoint) { return true; }

bool PendingElsewhere(const State& s, const Happening&, TimePoint) {
  return s.boot.record.pending && *s.boot.record.pending != s.boot.slot;
}
bool NotProven(const State& s, const Happening&, TimePoint) { return s.boot.mode != BootMode::kNormal; }
bool InTrial(const State& s, const Happening&, TimePoint) { return s.boot.mode == BootMode::kTrial; }

bool Online(const State& s, const Happening&, TimePoint) { return s.session != 0; }
bool HelloDue(const State& s, const Happening&, TimePoint now) {
  return s.link && s.session == 0 && s.resend_ms <= now.ms;
}
bool StateDue(const State& s, const Happening&, TimePoint now) {
  return s.session != 0 && s.acked_rev < s.ledger.rev && s.resend_ms <= now.ms;
}
bool ReadyDue(const State& s, const Happening&, TimePoint now) { return s.session != 0 && s.ready_ms <= now.ms; }
bool RebootDue(const State& s, const Happening&, TimePoint now) { return s.reboot_ms <= now.ms; }
bool RetestDue(const State& s, const Happening&, TimePoint now) { return s.retest_ms <= now.ms; }

wire::Session SessionOf(const Happening& what) {
  if (const auto* m = std::get_if<event::JobOffer>(&what)) return m->session;
  if (const auto* m = std::get_if<event::Cancel>(&what)) return m->session;
  if (const auto* m = std::get_if<event::Ack>(&what)) return m->session;
  return std::get_if<event::PermitAnswer>(&what)->session;
}
bool OtherSession(const State& s, const Happening& what, TimePoint) {
  return s.session == 0 || SessionOf(what) != s.session;
}
bool AnswersHello(const State& s, const Happening& what, TimePoint) {
  const auto& welcome = *std::get_if<event::Welcome>(&what);
  return s.hello == welcome.nonce && welcome.session != 0;
}
bool OtherJournal(const State& s, const Happening& what, TimePoint) {
  return std::get_if<event::Ack>(&what)->journal != s.ledger.journal;
}
bool AcksNewest(const State& s, const Happening& what, TimePoint) {
  return std::get_if<event::Ack>(&what)->rev == s.ledger.rev;
}
bool MayRaiseFloor(const State& s, const Happening& what, TimePoint) {
  const std::uint32_t value = std::get_if<event::RaiseFloor>(&what)->value;
  return MayUpdate(s.boot) && value > s.boot.record.floor && value <= s.boot.running_security_version;
}

// n against our own: below 0 older, above 0 newer.
int CompareJob(const State& s, std::uint64_t n) {
  if (!s.ledger.job || n > s.ledger.job->n) return 1;
  return n < s.ledger.job->n ? -1 : 0;
}
std::uint64_t NumberOf(const Happening& what) { return std::get_if<event::Job>(&what)->n; }

bool OlderJob(const State& s, const Happening& what, TimePoint) { return CompareJob(s, NumberOf(what)) < 0; }
bool NewerJob(const State& s, const Happening& what, TimePoint) {
  return CompareJob(s, NumberOf(what)) > 0 && MayUpdate(s.boot);
}
bool OwnOpenJob(const State& s, const Happening& what, TimePoint) {
  return CompareJob(s, NumberOf(what)) == 0 && HasOpenJobIn(s) && MayUpdate(s.boot);
}
bool OwnJobMoved(const State& s, const Happening& what, TimePoint) {
  const auto& job = *std::get_if<event::Job>(&what);
  const auto same = [](const wire::Source& a, const wire::Source& b) {
    return a.url == b.url && a.leaves_url == b.leaves_url && a.encoding == b.encoding;
  };
  return CompareJob(s, job.n) == 0 && s.offer && !std::ranges::equal(job.sources, s.offer->job.sources, same);
}
bool NewerVerdict(const State& s, const Happening& what, TimePoint) {
  return CompareJob(s, std::get_if<event::ManifestHolds>(&what)->job.n) > 0;
}
bool HasOpenJob(const State& s, const Happening&, TimePoint) { return HasOpenJobIn(s); }
bool CancelsOwn(const State& s, const Happening& what, TimePoint) {
  return HasOpenJobIn(s) && std::get_if<event::Cancel>(&what)->job == s.ledger.job->n;
}
bool PhaseAccepted(const State& s, const Happening&, TimePoint) {
  return s.ledger.job && s.ledger.job->phase == wire::Phase::kAccepted;
}

bool AnswersOwn(const State& s, const Happening& what, TimePoint) {
  return s.ledger.job && std::get_if<event::PermitAnswer>(&what)->job == s.ledger.job->n;
}
bool PendingNow(const State& s, const Happening& what, TimePoint) {
  const auto* changed = std::get_if<event::BootChanged>(&what);
  return changed != nullptr && s.ledger.job && changed->facts.record.pending &&
         changed->facts.record.job == s.ledger.job->n;
}
bool ProvenNow(const State&, const Happening& what, TimePoint) {
  return std::get_if<event::BootChanged>(&what)->facts.mode == BootMode::kNormal;
}

}  // namespace guard

// --- the table ---

struct Row {
  TransitionRow shown;
  bool (*guard)(const State&, const Happening&, TimePoint);
  void (*effect)(Context&);
};

namespace table {
#define PAWL_EVENT(name, text) [[maybe_unused]] constexpr std::uint32_t name = Bit(EventKind::k##name);
#include "agent/core/events.def"
#undef PAWL_EVENT
constexpr std::uint32_t Starting = Bit(Activity::kStarting);
constexpr std::uint32_t Testing = Bit(Activity::kTesting);
constexpr std::uint32_t Idle = Bit(Activity::kIdle);
constexpr std::uint32_t Fetching = Bit(Activity::kFetching);
constexpr std::uint32_t Sealing = Bit(Activity::kSealing);
constexpr std::uint32_t Ready = Bit(Activity::kReady);
constexpr std::uint32_t Committing = Bit(Activity::kCommitting);
constexpr std::uint32_t Committed = Bit(Activity::kCommitted);
constexpr std::uint32_t Rebooting = Bit(Activity::kRebooting);
constexpr std::uint32_t Open = Idle | Fetching | Sealing | Ready;  // a job may be taken or dropped
constexpr std::uint32_t Running = Testing | Open | Committing | Committed;
constexpr std::uint32_t Any = Starting | Running | Rebooting;

namespace to {
constexpr Activity Testing = Activity::kTesting;
constexpr Activity Idle = Activity::kIdle;
constexpr Activity Fetching = Activity::kFetching;
constexpr Activity Sealing = Activity::kSealing;
constexpr Activity Ready = Activity::kReady;
constexpr Activity Committing = Activity::kCommitting;
constexpr Activity Committed = Activity::kCommitted;
constexpr Activity Rebooting = Activity::kRebooting;
constexpr Activity Same = Activity::kCount;
}  // namespace to

constexpr Row kRows[] = {
#define PAWL_ROW(id, from, on, check, name, next, when, then) \
  {{#id, from, on, #from, #on, when, then, #next, to::next}, guard::check, effect::name},
#include "agent/core/transitions.def"
#undef PAWL_ROW
};
}  // namespace table

constexpr auto kShown = [] {
  std::array<TransitionRow, std::size(table::kRows)> shown{};
  for (std::size_t i = 0; i < shown.size(); ++i) shown[i] = table::kRows[i].shown;
  return shown;
}();

const Row* Find(const State& state, const Happening& what, TimePoint now) {
  for (const Row& row : table::kRows) {
    const bool fits = (row.shown.from & Bit(state.activity)) != 0 && (row.shown.on & Bit(KindOf(what))) != 0;
    if (fits && row.guard(state, what, now)) return &row;
  }
  return nullptr;
}

void Take(Context& context, const Happening& what) {
  const Row* row = Find(context.state, what, context.now);
  if (row == nullptr) return;
  context.what = &what;
  row->effect(context);
  if (row->shown.next != Activity::kCount) context.state.activity = row->shown.next;
}

}  // namespace

std::string_view Text(Activity activity) {
  switch (activity) {
    case Activity::kStarting:
      return "starting";
    case Activity::kTesting:
      return "testing";
    case Activity::kIdle:
      return "idle";
    case Activity::kFetching:
      return "fetching";
    case Activity::kSealing:
      return "sealing";
    case Activity::kReady:
      return "ready";
    case Activity::kCommitting:
      return "committing";
    case Activity::kCommitted:
      return "committed";
    case Activity::kRebooting:
      return "rebooting";
    case Activity::kCount:
      break;
  }
  return "";
}

bool MayUpdate(const BootFacts& boot) {
  return boot.mode == BootMode::kNormal && !boot.record.pending && boot.record.confirmed == boot.slot;
}

std::uint64_t TimeFloor(const State& state) { return std::max(state.device->build_time, state.ledger.time_floor); }

std::uint64_t DeviceTime(const State& state, TimePoint now) { return std::max(TimeFloor(state), now.wall_s); }

State Begin(const Device& device, const BootFacts& boot, const std::optional<Ledger>& ledger,
            const wire::Journal& journal) {
  State state;
  state.device = &device;
  state.boot = boot;
  if (ledger) {
    state.ledger = *ledger;
  } else {
    state.ledger.journal = journal;
  }
  // A ledger that was lost, or cut between the boot record's commit and its own write: the record knows the job.
  const BootRecord& record = boot.record;
  if (record.trial > 0 && (!state.ledger.job || state.ledger.job->n < record.job)) {
    state.ledger.job = wire::JobState{
        .n = record.job, .digest = record.trial_digest, .phase = wire::Phase::kCommitted, .detail = {}, .steps = {}};
  }
  return state;
}

Step Advance(const State& state, const Event& event, TimePoint now) {
  Context context{.state = state, .actions = {}, .derived = {}, .draw = event.draw, .now = now};
  Take(context, event.what);
  for (std::size_t i = 0; i < context.derived.size(); ++i) {
    PAWL_ASSERT(i < kMaxDerived);
    const Happening what = context.derived[i];  // a copy: the vector may grow
    Take(context, what);
  }
  return {std::move(context.state), std::move(context.actions)};
}

std::uint64_t Deadline(const State& state) {
  std::uint64_t deadline = kNever;
  const bool greeting = state.link && state.session == 0;
  const bool unacked = state.session != 0 && state.acked_rev < state.ledger.rev;
  const bool rebooting = state.activity == Activity::kCommitted || state.activity == Activity::kRebooting;
  if (state.activity != Activity::kRebooting && (greeting || unacked)) deadline = std::min(deadline, state.resend_ms);
  if (state.activity == Activity::kReady && state.session != 0) deadline = std::min(deadline, state.ready_ms);
  if (state.activity == Activity::kTesting) deadline = std::min(deadline, state.retest_ms);
  if (rebooting) deadline = std::min(deadline, state.reboot_ms);
  return deadline;
}

std::span<const TransitionRow> Transitions() { return kShown; }

std::optional<std::string_view> RowFor(const State& state, const Event& event, TimePoint now) {
  const Row* row = Find(state, event.what, now);
  if (row == nullptr) return std::nullopt;
  return row->shown.id;
}

}  // namespace pawl::agent
