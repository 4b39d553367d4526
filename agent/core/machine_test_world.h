// A device in a box for the machine's tests: boot record, slots' contents, data partition and platform as plain values,
// the real boot decision as bootloader, and a power switch that may go off before any action. It checks the invariants
// of agent/core/machine.h at every step.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>

#include "agent/core/machine.h"
#include "boot/core/decide.h"
#include "trust/sign/soft/soft_key.h"
#include "trust/verify/golden.h"

namespace pawl::agent {

struct Release {
  Manifest manifest;
  Digest digest{};
  std::vector<std::uint8_t> envelope;
};

struct PowerCut {};

class World {
 public:
  explicit World(unsigned seed) : random_(seed) {
    device.id = "dev-0001";
    device.anchors = golden::TheKeys();
    device.identity = {golden::HexTo<Uuid>(golden::kVendor), golden::HexTo<Uuid>(golden::kClass), 2, 1};
    device.slot_bytes = 1 << 20;
    device.build_time = 1'700'000'000;
    old_release_ = Make(6, {.major = 1, .stage_number = {}}, 0x01);
    new_release = Make(7, {.major = 2, .minor = 1, .stage_number = {}}, 0x02);
    slots_[0] = old_release_;
    record.proven = true;
    PowerOn(ResetCause::kPower);
  }

  Release Make(std::uint64_t sequence, Version version, std::uint8_t fill, std::uint64_t security_version = 3) {
    Release release;
    release.manifest = golden::TheManifest();
    release.manifest.sequence = sequence;
    release.manifest.version = version;
    release.manifest.security_version = security_version;
    release.manifest.image_digest.fill(fill);
    release.manifest.payload_digest = release.manifest.image_digest;
    auto signed_manifest = sign::SignManifest(release.manifest, image_key_).value();
    release.digest = signed_manifest.manifest_digest;
    release.envelope = std::move(signed_manifest.envelope);
    return release;
  }

  // --- power and boot ---

  void PowerOn(ResetCause cause) {
    pawl::BootFacts facts;
    facts.cause = cause;
    for (std::size_t i = 0; i < 2; ++i) {
      if (!slots_[i]) continue;
      facts.slots[i] = {true, Reason::kNone, slots_[i]->digest, slots_[i]->manifest.sequence, 3};
    }
    const BootDecision decision = Decide({RecordKind::kValid, record}, facts);
    ASSERT_TRUE(decision.slot);
    record = decision.next;
    running = *decision.slot;
    mode = decision.mode;
    inbox.clear();
    fetching_ = false;
    sealed_ = false;
    permits_.clear();
    device.boot = RandomBytes();
    state = Begin(device, Facts(), disk, RandomBytes());
    Feed(event::Started{});
  }
  void Reset(ResetCause cause) {
    resets++;
    PowerOn(cause);
  }

  BootFacts Facts() const {
    BootFacts facts;
    facts.record = record;
    facts.slot = running;
    facts.mode = mode;
    facts.running_security_version = 3;
    const Release& release = *slots_[static_cast<std::size_t>(running)];
    facts.running = {release.manifest.image_digest, release.digest, release.manifest.version, release.manifest.sequence,
                     release.manifest.trial_budget_s};
    return facts;
  }

  // --- steps ---

  void Feed(Happening what) {
    inbox.push_back(std::move(what));
    while (!inbox.empty()) {
      const Happening next = inbox.front();
      inbox.pop_front();
      if (!Take(next)) return;  // the device started anew
    }
  }

  // Feeds Tick as often as it is due, moving the clock to the deadline first if `wait`.
  void Tick(bool wait) {
    const std::uint64_t deadline = Deadline(state);
    if (deadline == kNever) return;
    if (wait) now.ms = std::max(now.ms, deadline);
    for (int i = 0; Deadline(state) <= now.ms; ++i) {
      ASSERT_LT(i, 10) << "the machine's deadline does not move on in " << Text(state.activity);
      const int resets_before = resets;
      Feed(event::Tick{});
      if (resets != resets_before) return;
    }
  }

  // --- the platform ---

  wire::Job JobFor(const Release& release) const {
    wire::Job job;
    job.n = job_n;
    job.sources.push_back({"https://a/x", "https://a/x.leaves", "raw"});
    job.manifest = release.envelope;
    return job;
  }
  event::Welcome WelcomeFor(bool with_job) {
    event::Welcome welcome;
    welcome.nonce = state.hello.value_or(Nonce{});
    session = random_() | 1;
    welcome.session = session;
    welcome.time = 1'750'000'000;
    welcome.ack = AckNow();
    if (with_job) welcome.job = JobFor(new_release);
    return welcome;
  }
  event::Ack AckNow() const {
    event::Ack ack;
    ack.session = session;
    ack.journal = state.ledger.journal;
    ack.rev = state.ledger.rev;
    if (record.owed) {
      ack.settled.trial = record.trial;
      ack.settled.trial_job = record.job;
    }
    return ack;
  }
  event::PermitAnswer PermitNow() {
    Permit permit;
    permit.device = std::string_view(device.id);
    permit.job = job_n;
    permit.manifest_digest = new_release.digest;
    permit.nonce = state.ready ? state.ready->nonce : Nonce{};
    permit.use_within_s = 60;
    if (state.ready && state.activity == Activity::kReady) permits_.push_back(permit.nonce);
    return {session, job_n, sign::SignPermit(permit, director_key_).value(), 0, {}};
  }

  Nonce RandomBytes() {
    Nonce bytes;
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random_());
    return bytes;
  }
  std::uint64_t Random(std::uint64_t below) { return random_() % below; }

  Device device;
  BootRecord record;
  std::optional<Ledger> disk;  // the data partition
  Slot running = Slot::kA;
  BootMode mode = BootMode::kNormal;
  State state;
  TimePoint now{.ms = 1000, .wall_s = 0};
  Release new_release;
  wire::Session session = 0;
  std::uint64_t job_n = 1;
  std::vector<wire::Up> sent;
  std::deque<Happening> inbox;
  int resets = 0;
  double cut = 0;          // probability of a power cut before an action
  double disk_fails = 0;   // probability that the ledger cannot be written
  bool tests_pass = true;  // of firmware in a trial
  bool fetching() const { return fetching_; }
  bool testing = false;

 private:
  bool Chance(double p) { return p > 0 && std::uniform_real_distribution<>(0, 1)(random_) < p; }

  bool Take(const Happening& what) {
    const State before = state;
    Step step = Advance(state, {what, {RandomBytes(), random_()}}, now);
    state = std::move(step.next);
    const std::uint64_t n_before = before.ledger.job ? before.ledger.job->n : 0;
    EXPECT_LE(n_before, state.ledger.job ? state.ledger.job->n : 0) << "M4";
    for (const Action& action : step.actions) {
      if (Chance(cut)) {
        Reset(ResetCause::kPower);
        return false;
      }
      const int resets_before = resets;
      if (!std::visit([&](const auto& a) { return Do(a); }, action)) break;
      if (resets != resets_before) return false;
    }
    return true;
  }

  // False: the action failed, the rest of the step is dropped.
  bool Do(const action::Send& send) {
    if (const auto* report = std::get_if<wire::StateReport>(&send.message)) CheckPersisted(report->state);
    if (const auto* hello = std::get_if<wire::Hello>(&send.message)) CheckPersisted(hello->state);
    sent.push_back(send.message);
    return true;
  }
  void CheckPersisted(const wire::State& told) {
    ASSERT_TRUE(disk) << "M3";
    EXPECT_LE(told.rev, disk->rev) << "M3";
    EXPECT_EQ(told.journal, disk->journal) << "M3";
    const bool succeeded = told.job && told.job->phase == wire::Phase::kSucceeded;
    if (succeeded) EXPECT_TRUE(mode == BootMode::kNormal && record.proven && record.confirmed == running);
  }
  bool Do(const action::PersistLedger& persist) {
    if (Chance(disk_fails)) {
      inbox.push_back(event::LedgerFailed{});
      return false;
    }
    disk = DecodeLedger(EncodeLedger(persist.ledger)).value();
    return true;
  }
  bool Do(const action::Fetch& fetch) {
    EXPECT_TRUE(MayUpdate(Facts())) << "M2";
    EXPECT_TRUE(MayWriteSlot(record, running, Other(running))) << "M2";
    EXPECT_EQ(fetch.digest, new_release.digest);
    slots_[static_cast<std::size_t>(Other(running))].reset();
    fetching_ = true;
    sealed_ = false;
    return true;
  }
  bool Do(const action::StopFetch&) {
    fetching_ = false;
    return true;
  }
  bool Do(const action::Seal& seal) {
    EXPECT_TRUE(MayUpdate(Facts())) << "M2";
    EXPECT_EQ(seal.envelope, new_release.envelope);
    slots_[static_cast<std::size_t>(Other(running))] = new_release;
    sealed_ = true;
    return true;
  }
  bool Do(const action::SetPending& pending) {
    EXPECT_TRUE(sealed_) << "M1: not read back since this boot";
    EXPECT_FALSE(permits_.empty()) << "M1: no permit";
    permits_.clear();
    return Commit(pawl::SetPending(record, running, {Other(running), pending.job, pending.digest}));
  }
  bool Do(const action::Confirm&) {
    EXPECT_TRUE(tests_passed_) << "M5";
    const bool done = Commit(pawl::Confirm(record, running), [&] { mode = BootMode::kNormal; });
    return done;
  }
  bool Do(const action::FailTrial& fail) {
    EXPECT_EQ(mode, BootMode::kTrial) << "M5";
    const auto next = pawl::FailTrial(record, running, fail.reason, fail.detail);
    EXPECT_TRUE(next);
    if (next) record = *next;
    return true;
  }
  bool Do(const action::SettleRollback& settle) {
    return Commit(pawl::SettleRollback(record, settle.trial, settle.job));
  }
  bool Do(const action::SettleEmergency& settle) { return Commit(pawl::SettleEmergency(record, settle.count)); }
  bool Do(const action::RaiseFloor& raise) { return Commit(pawl::RaiseFloor(record, running, raise.value, 3)); }
  bool Do(const action::RunSelfTests&) {
    EXPECT_NE(mode, BootMode::kNormal);
    testing = true;
    tests_passed_ = false;
    return true;
  }
  bool Do(const action::Disconnect&) {
    inbox.push_back(event::LinkDown{});
    return true;
  }
  bool Do(const action::Reboot&) {
    Reset(ResetCause::kSoftware);
    return true;
  }
  bool Commit(const Result<BootRecord>& next, const std::function<void()>& then = [] {}) {
    EXPECT_TRUE(next) << (next ? "" : next.error().detail.view());
    if (!next) {
      inbox.push_back(event::BootRefused{next.error()});
      return false;
    }
    record = *next;
    then();
    inbox.push_back(event::BootChanged{Facts()});
    return true;
  }

 public:
  // The end of what runs in the background, if anything does.
  void FinishBackground() {
    if (testing) {
      testing = false;
      tests_passed_ = tests_pass || mode == BootMode::kUnproven;
      if (tests_passed_) {
        Feed(event::TestsPassed{});
      } else {
        Feed(event::TestFailed{Reason::kSelfTestFailed, "peripheral:adc"});
      }
    } else if (fetching_ && state.activity == Activity::kFetching) {
      fetching_ = false;
      Feed(event::Fetched{});
    } else if (sealed_ && state.activity == Activity::kSealing) {
      Feed(event::Sealed{});
    }
  }

 private:
  std::mt19937_64 random_;
  sign::SoftKey image_key_{"pawl throw-away image key 1"};
  sign::SoftKey director_key_{"pawl throw-away director key 1"};
  Release old_release_;
  std::array<std::optional<Release>, 2> slots_;
  bool fetching_ = false;
  bool sealed_ = false;
  bool tests_passed_ = false;
  std::vector<Nonce> permits_;  // given for the nonce that was open then
};

}  // namespace pawl::agent
