#include "agent/io/serial/child_hardware.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "agent/io/log.h"
#include "agent/io/system.h"
#include "base/hosted/files.h"

namespace pawl::agent {
namespace {

constexpr std::uint64_t kFactsEveryMs = 2000;  // a child that is cut off is seen to be, soon

// As large as the child's slot; what another size holds is of another child.
Result<std::unique_ptr<FileFlash>> OpenSpool(const std::string& path, std::uint64_t bytes) {
  const OwnedFd fd(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
  struct stat info{};
  if (fd.get() < 0 || ::fstat(fd.get(), &info) != 0) return FileError("open", path);
  if (static_cast<std::uint64_t>(info.st_size) != bytes && ::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) {
    return FileError("resize", path);
  }
  return FileFlash::Open(path, kSlotFileOptions);
}

}  // namespace

ChildHardware::ChildHardware(std::unique_ptr<ChildLink> link, const Config& config, const KeyTable& anchors,
                             HttpClient& http)
    : link_(std::move(link)), anchors_(anchors), push_(*link_), relay_(http, config) {}

Result<std::unique_ptr<Hardware>> ChildHardware::Open(std::unique_ptr<ChildLink> link, const serial::Facts& facts,
                                                      const Config& config, const KeyTable& anchors, HttpClient& http) {
  PAWL_TRY(CheckRom(facts, config));
  PAWL_TRY(CheckGeometry(facts));
  std::unique_ptr<ChildHardware> child(new ChildHardware(std::move(link), config, anchors, http));
  child->link_->ExpectBoot(facts.boot);
  PAWL_ASSIGN(child->boot_, BootFactsOf(facts));
  child->child_ = facts;
  PAWL_ASSIGN(child->spool_, OpenSpool(config.InData(kSpoolFile), facts.slot_bytes));
  return child;
}

MakeHardware BehindSerial(std::unique_ptr<ChildLink> link, const serial::Facts& facts) {
  return [link = std::move(link), facts](const Config& config, const KeyTable& anchors, HttpClient& http) mutable {
    return ChildHardware::Open(std::move(link), facts, config, anchors, http);
  };
}

// --- boot control ---

Status ChildHardware::Adopt(const Result<serial::Facts>& facts) {
  if (!facts) return std::unexpected(facts.error());
  if (facts->boot != child_.boot) {
    link_->GiveUp(Reason::kUnavailable, "the child started anew");
    return std::unexpected(*link_->failed());
  }
  PAWL_ASSIGN(boot_, BootFactsOf(*facts));
  child_ = *facts;
  return {};
}

// The child checks and commits; its facts then show what it did.
Status ChildHardware::Change(const serial::Request& request) {
  const auto done = As<serial::Done>(link_->Call(request));
  if (!done) return std::unexpected(done.error());
  return Adopt(As<serial::Facts>(link_->Call(serial::AskFacts{})));
}

Status ChildHardware::SetPending(std::uint64_t job, const Digest& manifest_digest) {
  return Change(serial::Pending{job, manifest_digest});
}

Status ChildHardware::SettleRollback(std::uint32_t trial, std::uint64_t job) {
  return Change(serial::SettleRollback{trial, job});
}

Status ChildHardware::SettleEmergency(std::uint16_t count) { return Change(serial::SettleEmergency{count}); }

Status ChildHardware::RaiseFloor(std::uint32_t value) { return Change(serial::RaiseFloor{value}); }

// A child confirms itself; no gateway can do it for it.
Status ChildHardware::Confirm() {
  if (boot_.mode == BootMode::kNormal) return {};
  return Fail(Reason::kNotAllowed, "the child has not confirmed its image");
}

Status ChildHardware::FailTrial(Reason, std::string_view) {
  return Fail(Reason::kNotAllowed, "a child ends its trial itself");
}

Result<FileFlash*> ChildHardware::StagingSlot() {
  if (MayWriteSlot(boot_.record, boot_.slot, Other(boot_.slot))) return spool_.get();
  return Fail(Reason::kNotAllowed, "the child's other slot may not be written now");
}

// Told once: an answer that got lost must not reset the next boot too. The machine asks again if nothing comes of it.
Status ChildHardware::Reset() {
  link_->Tell(serial::Reset{});
  return {};
}

// --- sealing: the spool first, then the child's slot ---

Status ChildHardware::StartSealing(const action::Seal& seal) {
  StopSealing();
  PAWL_ASSIGN(FileFlash * spool, StagingSlot());
  seal_ = seal;
  return sealer_.Start(*spool, anchors_, seal.envelope, seal.image_digest, seal.image_bytes);
}

void ChildHardware::StopSealing() {
  sealer_.Stop();
  push_.Stop();
}

Status ChildHardware::PushSpool() {
  PAWL_ASSIGN(const VerifiedManifest manifest, ReadManifest(*spool_, anchors_));
  push_.Start(*spool_, child_.sector_bytes, {manifest.digest(), seal_.image_bytes, seal_.envelope});
  return {};
}

void ChildHardware::WorkSealing() {
  std::optional<Status> ended;
  if (sealer_.running()) {
    ended = sealer_.Work();
    if (ended && *ended) ended = PushSpool();
    if (ended && *ended) ended.reset();
  } else {
    ended = push_.Take();
    // A refusal counts only if it came from the boot that was asked.
    if (ended && !*ended) static_cast<void>(Adopt(As<serial::Facts>(link_->Call(serial::AskFacts{}))));
  }
  if (!ended || link_->failed()) return;
  if (*ended) {
    happened_.emplace_back(event::Sealed{});
  } else {
    happened_.emplace_back(event::SealFailed{ended->error()});
  }
}

// --- what the child tells ---

void ChildHardware::AskFacts() {
  facts_asked_ = true;
  link_->Ask(serial::AskFacts{}, [this](const ChildLink::Answer& answer) {
    facts_asked_ = false;
    facts_ms_ = MonotonicMs() + kFactsEveryMs;
    TakeFacts(As<serial::Facts>(answer));
  });
}

void ChildHardware::TakeFacts(const Result<serial::Facts>& facts) {
  const BootFacts before = boot_;
  if (const Status adopted = Adopt(facts); !adopted) {
    if (!link_->failed()) LogError("child: facts", adopted.error());
    return;
  }
  const bool passed = testing_ && boot_.mode == BootMode::kNormal;  // confirming that tells of the change
  WorkTests();
  const bool changed = boot_.record != before.record || boot_.mode != before.mode;
  if (changed && !passed) happened_.emplace_back(event::BootChanged{boot_});
}

void ChildHardware::StartTests() {
  testing_ = true;
  WorkTests();
}

// In a trial a failure is the child's to record: it resets, and its next boot shows it.
void ChildHardware::WorkTests() {
  if (!testing_) return;
  if (boot_.mode == BootMode::kNormal) {
    testing_ = false;
    Log("child: its self-tests have passed, it has confirmed");
    happened_.emplace_back(event::TestsPassed{});
  } else if (child_.tests == serial::Tests::kFailed) {
    testing_ = false;
    Log("child: a self-test has failed: " + std::string(child_.tests_detail.view()));
    if (boot_.mode == BootMode::kUnproven) {
      happened_.emplace_back(event::TestFailed{Reason::kSelfTestFailed, std::string(child_.tests_detail.view())});
    }
  }
}

void ChildHardware::TakeTellings() {
  while (const auto telling = link_->TakeTelling()) {
    if (std::holds_alternative<serial::Changed>(*telling)) facts_ms_ = 0;
    if (const auto* wanted = std::get_if<serial::NonceWanted>(&*telling)) relay_.Want(wanted->nonce);
  }
}

// --- the loop ---

std::uint64_t ChildHardware::NextMs() const {
  if (sealer_.running() || !happened_.empty()) return 0;
  return std::min(link_->NextMs(), facts_asked_ ? UINT64_MAX : facts_ms_);
}

std::vector<Happening> ChildHardware::Work(std::uint64_t now_ms) {
  link_->Work(now_ms);
  TakeTellings();
  if (const auto told = relay_.Take()) link_->Tell(*told);
  if (!facts_asked_ && now_ms >= facts_ms_) AskFacts();
  WorkSealing();
  if (link_->failed()) happened_.clear();  // nothing that is known of this boot counts any more
  return std::exchange(happened_, {});
}

}  // namespace pawl::agent
