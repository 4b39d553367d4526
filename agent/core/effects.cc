#include "agent/core/effects.h"

#include <algorithm>

#include "agent/core/snapshot.h"
#include "base/assert.h"

namespace pawl::agent {

wire::Phase PhaseOf(const State& state) {
  return state.ledger.job ? OutcomeOf(*state.ledger.job, state.boot).phase : wire::Phase::kAccepted;
}

bool HasOpenJobIn(const State& state) { return state.ledger.job && PhaseOf(state) < wire::Phase::kCommitted; }

namespace {

// --- small pieces that the effects share ---

// Where the table's rows lead, these are there.
wire::JobState& OwnJob(Context& c) {
  PAWL_ASSERT(c.state.ledger.job);
  return *c.state.ledger.job;
}
const Offer& OwnOffer(const Context& c) {
  PAWL_ASSERT(c.state.offer);
  return *c.state.offer;
}

void NoteStep(Context& c) {
  if (!c.state.ledger.job) return;
  auto& steps = c.state.ledger.job->steps;
  const wire::Phase phase = PhaseOf(c.state);
  if (!steps.empty() && steps.back().phase == phase) return;
  if (steps.size() >= wire::kMaxSteps) steps.erase(steps.begin());
  steps.push_back({phase, DeviceTime(c.state, c.now)});
}

void Persist(Context& c) {
  c.state.unsaved = false;  // LedgerFailed says otherwise
  c.actions.push_back(action::PersistLedger{c.state.ledger});
}

void ScheduleResend(Context& c) {
  const std::uint64_t wait = kReplyMinMs + FullJitter(kReplyBackoff, c.state.replies_missed, c.draw.jitter);
  c.state.resend_ms = c.now.ms + wait;
  c.state.replies_missed = std::min(c.state.replies_missed + 1, kBackoffTriesMax);
}

void SendSnapshot(Context& c) {
  if (c.state.session == 0) return;
  c.actions.push_back(action::Send{wire::StateReport{c.state.session, Snapshot(c.state.ledger, c.state.boot)}});
  ScheduleResend(c);
}

// A changed snapshot: numbered, persisted, then told.
void Tell(Context& c) {
  ++c.state.ledger.rev;
  NoteStep(c);
  Persist(c);
  c.state.replies_missed = 0;
  SendSnapshot(c);
}

void SetPhase(Context& c, wire::Phase phase, Reason reason = Reason::kNone, std::string detail = {}) {
  wire::JobState& job = OwnJob(c);
  job.phase = phase;
  job.reason = reason;
  job.detail = std::move(detail);
}

void DropOffer(Context& c) {
  if (c.state.offer) c.actions.push_back(action::StopFetch{});
  c.state.offer.reset();
  c.state.ready.reset();
  c.state.ready_ms = kNever;
  c.state.readies = 0;
}

// Ends the job in hand: stops it, tells why.
void EndJob(Context& c, wire::Phase phase, Reason reason, std::string_view detail) {
  DropOffer(c);
  SetPhase(c, phase, reason, std::string(detail));
  Tell(c);
}

void Fetch(Context& c) {
  const Offer& offer = OwnOffer(c);
  c.actions.push_back(action::Fetch{offer.digest, offer.manifest, offer.job.sources});
}

Offer OfferOf(const event::ManifestHolds& holds) { return {holds.job, holds.manifest, holds.digest}; }

wire::Hello HelloOf(const Context& c) {
  const Device& device = *c.state.device;
  wire::Hello hello;
  hello.boot = device.boot;
  hello.nonce = c.draw.nonce;
  hello.state = Snapshot(c.state.ledger, c.state.boot);
  hello.vendor = device.identity.vendor;
  hello.cls = device.identity.cls;
  hello.board_revision = device.identity.board_revision;
  hello.agent = device.agent;
  for (const Key& key : device.anchors.keys) hello.keys.push_back(key.kid);
  hello.floor = std::max(c.state.boot.record.floor, static_cast<std::uint32_t>(device.identity.min_security_version));
  hello.slot_bytes = device.slot_bytes;
  hello.watchdog_s = device.watchdog_s;
  hello.encodings = {"raw"};
  hello.attributes = device.attributes;
  hello.via = device.via;
  return hello;
}

// Every check that needs no download, in the order of docs/spec/manifest.md.
Result<InstallableManifest> CheckManifest(const State& state, ByteView envelope) {
  const Device& device = *state.device;
  PAWL_ASSIGN(const VerifiedManifest verified, Verify(envelope, device.anchors));
  Target target;
  target.vendor = device.identity.vendor;
  target.cls = device.identity.cls;
  target.board_revision = device.identity.board_revision;
  target.security_floor = std::max<std::uint64_t>(state.boot.record.floor, device.identity.min_security_version);
  target.slot_bytes = device.slot_bytes;
  PAWL_ASSIGN(const BootableManifest bootable, CheckBootable(verified, target));
  const RunningImage& image = state.boot.running;
  return CheckInstallable(bootable, {image.sequence, image.version, image.image_digest}, TimeFloor(state));
}

// The digest that an envelope claims, whether it is genuine or not: what a refusal names.
Digest ClaimedDigest(ByteView envelope) {
  const auto view = DecodeEnvelope(envelope);
  return view ? view->digest : Digest{};
}

Happening VerdictOn(const State& state, const wire::Job& job) {
  const auto refused = [&](const Error& error) {
    return event::ManifestRefused{job.n, ClaimedDigest(job.manifest), error};
  };
  const auto manifest = CheckManifest(state, job.manifest);
  if (!manifest) return refused(manifest.error());
  const bool own = state.ledger.job && state.ledger.job->n == job.n;
  if (own && state.ledger.job->digest != manifest->digest()) {
    return refused({Reason::kDigestMismatch, "the job came again with another manifest"});
  }
  if (manifest->get().image_digest == state.boot.running.image_digest) return refused({Reason::kAlreadyRunning, {}});
  if (manifest->get().format != PayloadFormat::kRaw) return refused({Reason::kUnsupportedEncoding, "not raw"});
  return event::ManifestHolds{job, manifest->get(), manifest->digest()};
}

std::uint64_t NextReady(const Context& c) {
  return c.now.ms + kReadyMinMs + FullJitter(kReadyBackoff, c.state.readies, c.draw.jitter);
}

}  // namespace

namespace effect {

void Ignore(Context&) {}

// --- start, link ---

void Reboot(Context& c) {
  c.state.reboot_ms = c.now.ms + kRebootAgainMs;
  c.actions.push_back(action::Reboot{});
}

void NewSnapshot(Context& c) { Tell(c); }

void RunTests(Context& c) {
  c.state.retest_ms = kNever;
  c.actions.push_back(action::RunSelfTests{});
}

// The tests first: a data partition that cannot be written must not keep them from running.
void StartTests(Context& c) {
  RunTests(c);
  Tell(c);
}

void Greet(Context& c) {
  c.state.link = true;
  c.state.session = 0;
  c.state.hello = c.draw.nonce;
  c.state.ready.reset();
  if (c.state.unsaved) Persist(c);
  c.actions.push_back(action::Send{HelloOf(c)});
  ScheduleResend(c);
}

void GreetLater(Context& c) {
  c.state.session = 0;
  c.state.hello.reset();
  c.state.ready.reset();
  ScheduleResend(c);
}

void ForgetSession(Context& c) {
  c.state.link = false;
  c.state.session = 0;
  c.state.hello.reset();
  c.state.ready.reset();
  c.state.replies_missed = 0;
  c.state.resend_ms = kNever;
}

void SendState(Context& c) { SendSnapshot(c); }

// --- welcome, ack ---

void TakeWelcome(Context& c) {
  const auto& welcome = c.as<event::Welcome>();
  State& state = c.state;
  state.hello.reset();
  state.session = welcome.session;
  state.replies_missed = 0;
  state.resend_ms = c.now.ms + kReplyMinMs;  // if the acknowledgement is not in it
  const std::uint64_t floor = state.ledger.time_floor;
  if (welcome.time <= state.device->time_max && welcome.time > floor && welcome.time - floor >= kTimePersistS) {
    state.ledger.time_floor = welcome.time;
    Persist(c);
  }
  if (state.activity == Activity::kReady) state.ready_ms = c.now.ms;
  event::Ack ack = welcome.ack;
  ack.session = welcome.session;
  c.derived.push_back(ack);
  if (welcome.cancelled) c.derived.push_back(event::Cancel{welcome.session, welcome.cancel_job, {}});
  if (welcome.raise_floor) c.derived.push_back(event::RaiseFloor{welcome.floor});
  if (welcome.job) {
    c.derived.push_back(*welcome.job);
  } else {
    c.derived.push_back(event::NoJob{});
  }
}

void TakeAck(Context& c) {
  const auto& ack = c.as<event::Ack>();
  const BootRecord& record = c.state.boot.record;
  if (ack.rev <= c.state.ledger.rev) c.state.acked_rev = std::max(c.state.acked_rev, ack.rev);
  if (c.state.acked_rev == c.state.ledger.rev) {
    c.state.replies_missed = 0;
    c.state.resend_ms = kNever;
  }
  const wire::Settled& settled = ack.settled;
  if (record.owed && settled.trial == record.trial && settled.trial_job == record.job) {
    c.actions.push_back(action::SettleRollback{record.trial, record.job});
  }
  if (record.emergency_reason != Reason::kNone && settled.emergency == record.emergency_count) {
    c.actions.push_back(action::SettleEmergency{record.emergency_count});
  }
}

void AskFloor(Context& c) { c.actions.push_back(action::RaiseFloor{c.as<event::RaiseFloor>().value}); }

// --- jobs ---

void UnwrapJob(Context& c) { c.derived.push_back(c.as<event::JobOffer>().job); }

void ExamineManifest(Context& c) { c.derived.push_back(VerdictOn(c.state, c.as<event::Job>())); }

void FetchElsewhere(Context& c) {
  PAWL_ASSERT(c.state.offer);
  c.state.offer->job.sources = c.as<event::Job>().sources;
  Fetch(c);
}

void AcceptJob(Context& c) {
  const auto& holds = c.as<event::ManifestHolds>();
  DropOffer(c);
  c.state.offer = OfferOf(holds);
  c.state.ledger.job = wire::JobState{.n = holds.job.n, .digest = holds.digest, .detail = {}, .steps = {}};
  Tell(c);
  Fetch(c);
}

void ResumeJob(Context& c) {
  c.state.offer = OfferOf(c.as<event::ManifestHolds>());
  Fetch(c);
}

void RefuseOffer(Context& c) {
  const auto& refused = c.as<event::ManifestRefused>();
  std::vector<wire::Step> steps;
  if (c.state.ledger.job && c.state.ledger.job->n == refused.n) steps = c.state.ledger.job->steps;
  c.state.ledger.job =
      wire::JobState{.n = refused.n, .digest = refused.digest, .detail = {}, .steps = std::move(steps)};
  EndJob(c, wire::Phase::kRefused, refused.error.reason, refused.error.detail);
}

void CancelJob(Context& c) {
  const auto* cancel = std::get_if<event::Cancel>(c.what);
  const std::string_view why =
      cancel != nullptr ? std::string_view(cancel->reason) : "the platform no longer has this job";
  EndJob(c, wire::Phase::kCancelled, Reason::kCancelled, why);
}

// --- download ---

void NoteDownloading(Context& c) {
  SetPhase(c, wire::Phase::kDownloading);
  Tell(c);
}

void SendProgress(Context& c) {
  c.actions.push_back(
      action::Send{wire::Progress{c.state.session, OwnJob(c).n, c.as<event::Progress>().bytes, "download"}});
}

void SealSlot(Context& c) {
  const Offer& offer = OwnOffer(c);
  c.actions.push_back(action::Seal{offer.job.manifest, offer.manifest.image_digest, offer.manifest.image_bytes});
}

void RefuseStaged(Context& c) {
  const auto* fetch = std::get_if<event::FetchFailed>(c.what);
  const Error& error = fetch != nullptr ? fetch->error : c.as<event::SealFailed>().error;
  EndJob(c, wire::Phase::kRefused, error.reason, error.detail);
}

void NoteVerified(Context& c) {
  SetPhase(c, wire::Phase::kVerified);
  Tell(c);
  c.state.readies = 0;
  c.state.ready_ms = c.now.ms;
}

// --- permit, commit ---

void SendReady(Context& c) {
  c.state.ready = OpenReady{c.draw.nonce, c.now.ms};
  c.actions.push_back(action::Send{wire::Ready{c.state.session, OwnJob(c).n, OwnOffer(c).digest, c.draw.nonce}});
  c.state.ready_ms = NextReady(c);
  c.state.readies = std::min(c.state.readies + 1, kBackoffTriesMax);
}

void ExaminePermit(Context& c) {
  const auto& answer = c.as<event::PermitAnswer>();
  if (answer.permit.empty()) {
    c.derived.push_back(event::PermitWait{answer.wait_s});
    return;
  }
  PermitContext context;
  context.device = c.state.device->id;
  context.job = OwnJob(c).n;
  context.verified = PhaseOf(c.state) == wire::Phase::kVerified;
  context.manifest_digest = OwnOffer(c).digest;
  context.ready = c.state.ready;
  context.boot = &c.state.boot;
  const PermitOutcome outcome = CheckPermit(VerifyPermit(answer.permit, c.state.device->anchors), context, c.now.ms);
  switch (outcome.verdict) {
    case PermitVerdict::kHolds:
      c.derived.push_back(event::PermitHolds{});
      return;
    case PermitVerdict::kWrong:
      c.derived.push_back(event::PermitWrong{outcome.reason});
      return;
    case PermitVerdict::kLate:
      c.derived.push_back(event::PermitLate{});
      return;
    case PermitVerdict::kIgnore:
      return;
  }
}

void CommitPending(Context& c) {
  c.state.ready.reset();
  c.state.ready_ms = kNever;
  c.actions.push_back(action::SetPending{OwnJob(c).n, OwnOffer(c).digest});
}

// Told once: a flood of wrong permits must not wear out the flash. The genuine one may still come, so the nonce stays.
void NoteWrongPermit(Context& c) {
  const Reason reason = c.as<event::PermitWrong>().reason;
  if (OwnJob(c).reason == reason) return;
  SetPhase(c, wire::Phase::kVerified, reason);
  Tell(c);
}

void ReadyLater(Context& c) {
  if (std::holds_alternative<event::BootChanged>(*c.what)) NoteBoot(c);
  c.state.ready.reset();
  c.state.ready_ms = std::min(c.state.ready_ms, NextReady(c));
}

void WaitForPermit(Context& c) {
  const std::uint64_t wait_s = std::clamp<std::uint32_t>(c.as<event::PermitWait>().wait_s, 1, kWaitMaxS);
  c.state.ready_ms = c.now.ms + wait_s * 1000 + c.draw.jitter % (wait_s * 100 + 1);
}

void NoteCommitted(Context& c) {
  c.state.boot = c.as<event::BootChanged>().facts;
  SetPhase(c, wire::Phase::kCommitted);
  c.state.reboot_ms = c.now.ms + kAckWaitMs;
  Tell(c);
}

// --- self-tests, boot record ---

void AskConfirm(Context& c) { c.actions.push_back(action::Confirm{}); }

void FailAndReboot(Context& c) {
  const auto& failed = c.as<event::TestFailed>();
  c.actions.push_back(action::FailTrial{failed.reason, failed.detail});
  Reboot(c);
}

void TestLater(Context& c) { c.state.retest_ms = c.now.ms + kRetestMs; }

void NoteBoot(Context& c) {
  c.state.boot = c.as<event::BootChanged>().facts;
  Tell(c);
}

void NoteConfirmed(Context& c) {
  NoteBoot(c);
  if (c.state.link) Greet(c);
}

// --- trouble ---

void NoteUnsaved(Context& c) { c.state.unsaved = true; }

void StartOver(Context& c) {
  c.state.unsaved = true;
  DropOffer(c);
  c.actions.push_back(action::Disconnect{});
}

}  // namespace effect
}  // namespace pawl::agent
