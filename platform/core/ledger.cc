#include "platform/core/ledger.h"

#include <algorithm>

namespace pawl::platform {
namespace {

template <class T>
bool Contains(const std::vector<T>& items, const T& item) {
  return std::ranges::find(items, item) != items.end();
}

template <class T>
bool IsNewest(const std::vector<T>& items, const T& item) {
  return !items.empty() && items.back() == item;
}

template <class T>
void Remember(std::vector<T>& items, const T& item) {
  if (IsNewest(items, item)) return;
  if (items.size() >= kMaxRemembered) items.erase(items.begin());
  items.push_back(item);
}

// The device says that it went through the boot record's commit for this job.
bool IsCommitted(wire::Phase phase) {
  return phase == wire::Phase::kCommitted || phase == wire::Phase::kTrial || phase == wire::Phase::kSucceeded ||
         phase == wire::Phase::kRolledBack;
}

bool Names(const wire::State& shown, const JobView& job) { return shown.job && shown.job->n == job.n; }
bool Owes(const wire::State& shown, const JobView& job) { return shown.owed && shown.owed->job == job.n; }

// Rule 5: never from silence, never from a version text.
bool ProvesSuccess(const wire::State& shown, const JobView& job) {
  if (shown.owed || shown.running.empty() || shown.job->digest != job.manifest_digest) return false;
  const wire::RunningComponent& running = shown.running.front();
  const bool own_trial = job.trial != 0 ? shown.trial == job.trial : shown.trial > job.trial_before;
  return own_trial && running.mode == wire::Mode::kNormal && running.image_digest == job.image_digest;
}

// What the snapshot says about a job that it names or owes.
struct Claim {
  JobStatus status = JobStatus::kQueued;
  std::uint32_t trial = 0;
  Reason reason = Reason::kNone;
  std::string_view detail;
};

std::optional<Claim> ClaimAbout(const wire::State& shown, const JobView& job, bool fresh_session) {
  if (Owes(shown, job)) {
    const wire::Owed& owed = *shown.owed;
    return Claim{JobStatus::kRolledBack, owed.trial, owed.reason, owed.detail};
  }
  if (Names(shown, job)) {
    Claim claim{FromPhase(shown.job->phase), 0, shown.job->reason, shown.job->detail};
    if (claim.status == JobStatus::kSucceeded && !ProvesSuccess(shown, job)) claim.status = JobStatus::kTrial;
    if (IsCommitted(shown.job->phase) && shown.trial > job.trial_before) claim.trial = shown.trial;
    return claim;
  }
  // In a fresh session nothing sent before can arrive any more: a job that the device does not show it will never have.
  const bool unseen = !shown.job || shown.job->n < job.n;
  if (fresh_session && job.cancelling && unseen) return Claim{JobStatus::kCancelled, 0, Reason::kCancelled, {}};
  return std::nullopt;
}

// Rule 2, for one job that the snapshot names: the boot record moved without a credit.
bool StartedWithoutCredit(const wire::State& shown, const JobView& job) {
  if (job.permitted) return false;
  return Owes(shown, job) || (Names(shown, job) && IsCommitted(shown.job->phase));
}

std::uint64_t HighestShown(const wire::State& shown) {
  return std::max(shown.job ? shown.job->n : 0, shown.owed ? shown.owed->job : 0);
}

// Rule 2.
bool ShowsUnknownPast(const DeviceView& device, std::span<const JobView> jobs, const wire::State& shown) {
  if (HighestShown(shown) > device.highest_n) return true;
  if (std::ranges::any_of(jobs, [&](const JobView& job) { return StartedWithoutCredit(shown, job); })) return true;
  const bool trial_rose = device.told && shown.trial > device.told->trial;
  return trial_rose && std::ranges::none_of(jobs, &JobView::permitted);
}

wire::Settled SettledBy(const wire::State& shown) {
  wire::Settled settled;
  if (shown.owed) {
    settled.trial = shown.owed->trial;
    settled.trial_job = shown.owed->job;
  }
  if (shown.emergency && shown.emergency->reason != Reason::kNone) settled.emergency = shown.emergency->count;
  return settled;
}

std::optional<wire::Emergency> NewEmergency(const std::optional<wire::State>& told, const wire::State& shown) {
  if (!shown.emergency || shown.emergency->reason == Reason::kNone) return std::nullopt;
  if (told && told->emergency == shown.emergency) return std::nullopt;
  return shown.emergency;
}

}  // namespace

Standing Compare(const std::optional<wire::State>& told, const wire::State& shown) {
  if (!told) return Standing::kFirst;
  if (told->journal != shown.journal) return Standing::kNewJournal;
  if (shown.rev > told->rev) return Standing::kNewer;
  if (shown.rev < told->rev) return Standing::kOlder;
  return *told == shown ? Standing::kSame : Standing::kFork;
}

HelloVerdict JudgeHello(const DeviceView& device, const wire::Hello& hello) {
  const bool repeated = IsNewest(device.nonces, hello.nonce);
  if (!repeated && Contains(device.nonces, hello.nonce)) return HelloVerdict::kLate;
  const bool same_boot = IsNewest(device.boots, hello.boot);
  if (!same_boot && Contains(device.boots, hello.boot)) return HelloVerdict::kFork;  // boots A, B, A
  switch (Compare(device.told, hello.state)) {
    case Standing::kFork:
      return HelloVerdict::kFork;
    case Standing::kOlder:  // within one boot it was overtaken; another boot reads the ledger, which never goes back
      return same_boot ? HelloVerdict::kLate : HelloVerdict::kFork;
    default:
      return repeated ? HelloVerdict::kRepeated : HelloVerdict::kAccept;
  }
}

DeviceView WithHello(DeviceView device, const wire::Hello& hello, wire::Session session) {
  Remember(device.boots, hello.boot);
  Remember(device.nonces, hello.nonce);
  device.session = session;
  return device;
}

ReportVerdict JudgeReport(const DeviceView& device, const wire::StateReport& report) {
  if (report.session == 0 || report.session != device.session) return ReportVerdict::kDrop;
  switch (Compare(device.told, report.state)) {
    case Standing::kOlder:
      return ReportVerdict::kDrop;
    case Standing::kFork:
      return ReportVerdict::kFork;
    default:
      return ReportVerdict::kAccept;
  }
}

JobView Advance(JobView job, const wire::State& shown, bool fresh_session) {
  const std::optional<Claim> claim = ClaimAbout(shown, job, fresh_session);
  if (!claim) return job;
  job.timed_out = false;  // rule 4: a late truth takes the mark away
  if (claim->trial != 0 && job.trial == 0) job.trial = claim->trial;
  if (StartedWithoutCredit(shown, job)) job.permitted = true;  // rule 2: counters are rebuilt from what devices show
  if (Names(shown, job) && shown.job->steps.size() >= job.steps.size()) job.steps = shown.job->steps;
  if (claim->status <= job.status) return job;
  job.status = claim->status;
  job.reason = claim->reason;
  job.detail = claim->detail;
  if (IsTerminal(job.status)) job.cancelling = false;
  return job;
}

Interpretation Interpret(const DeviceView& device, std::span<const JobView> jobs, const wire::State& shown,
                         bool fresh_session) {
  Interpretation out;
  out.standing = Compare(device.told, shown);
  out.restored_platform = ShowsUnknownPast(device, jobs, shown);
  for (const JobView& job : jobs) {
    JobView after = Advance(job, shown, fresh_session);
    if (after != job) out.changed.push_back(std::move(after));
  }
  out.rollback = shown.owed;
  out.emergency = NewEmergency(device.told, shown);
  out.settled = SettledBy(shown);
  out.highest_n = std::max(device.highest_n, HighestShown(shown));
  return out;
}

Word WordAbout(const JobView& job, bool may_offer) {
  const JobRule& rule = RuleOf(job.status);
  if (rule.terminal) return Word::kNothing;
  if (job.cancelling && rule.cancel == Cancelling::kAsk) return Word::kCancel;
  if (job.status == JobStatus::kQueued && !may_offer) return Word::kNothing;
  return Word::kOffer;  // again to a device that has it: it answers with its state
}

PermitDecision DecidePermit(const DeviceView& device, const JobView* job, const PermitCase& facts,
                            const wire::Ready& ready) {
  using enum PermitDecision::Kind;
  if (ready.session == 0 || ready.session != device.session || !device.told) return {kDrop, "another session"};
  if (job == nullptr || ready.job != job->n) return {kDrop, "not the device's job"};
  if (job->status >= JobStatus::kCommitted) return {kDrop, "the job is past its permit"};

  const wire::State& told = *device.told;
  const wire::RunningComponent* running = told.running.empty() ? nullptr : &told.running.front();
  // In this order, so that the first one that holds is what the operator should look at first.
  const struct {
    bool bad;
    std::string_view why;
  } checks[] = {
      {ready.digest != job->manifest_digest, "the device staged another manifest than the job's"},
      {job->cancelling, "the job is being cancelled"},
      {!facts.campaign_runs, "the campaign is paused"},
      {told.owed.has_value(), "the device owes a rollback report"},
      {running == nullptr || running->mode != wire::Mode::kNormal, "the device's running image is not confirmed"},
      {!facts.class_fits, "the device says that it is of another class"},
      {facts.board_revision < facts.min_board_revision, "the device's board revision is too low"},
      {facts.security_version < facts.floor, "the release is below the device's security floor"},
      {running != nullptr && facts.sequence < running->sequence, "the release is older than what the device runs"},
  };
  for (const auto& check : checks) {
    if (check.bad) return {kWait, check.why};
  }
  return {kGrant, {}};
}

}  // namespace pawl::platform
