#include "platform/io/release/release_worker.h"

#include <algorithm>

#include "trust/verify/verify.h"

namespace pawl {
namespace {

constexpr std::size_t kBatch = 16;

// Errors that time mends: the release waits. All others refuse it.
bool IsTemporary(Reason reason) {
  switch (reason) {
    case Reason::kUnavailable:
    case Reason::kTimeout:
    case Reason::kHsm:
    case Reason::kIo:
    case Reason::kStorage:
    case Reason::kNoSpace:
      return true;
    default:
      return false;
  }
}

bool IsSignersTrouble(Reason reason) {
  return reason == Reason::kUnavailable || reason == Reason::kTimeout || reason == Reason::kHsm;
}

std::string WaitingText(const Error& error) {
  const std::string what = IsSignersTrouble(error.reason) ? "HSM does not answer" : std::string(Text(error.reason));
  return error.detail.empty() ? what : what + ": " + std::string(error.detail.view());
}

Status CheckFact(bool same, std::string_view name) {
  if (same) return {};
  return Fail(Reason::kCorrupt, "what was signed is not what the release says: " + std::string(name));
}

Status CheckFacts(const Manifest& manifest, const data::Release& release, const data::Class& cls) {
  PAWL_ASSIGN(const Version version, ParseVersion(release.version));
  PAWL_TRY(CheckFact(manifest.sequence == release.sequence, "sequence number"));
  PAWL_TRY(CheckFact(manifest.version == version, "version"));
  PAWL_TRY(CheckFact(manifest.vendor == cls.vendor_id, "vendor"));
  PAWL_TRY(CheckFact(manifest.cls == cls.class_id, "class"));
  PAWL_TRY(CheckFact(manifest.image_digest == release.artifact, "image digest"));
  PAWL_TRY(CheckFact(manifest.image_bytes == release.artifact_bytes, "image size"));
  PAWL_TRY(CheckFact(manifest.payload_digest == release.artifact, "payload digest"));
  PAWL_TRY(CheckFact(manifest.payload_bytes == release.artifact_bytes, "payload size"));
  PAWL_TRY(CheckFact(manifest.format == PayloadFormat::kRaw && !manifest.precursor, "payload format"));
  PAWL_TRY(CheckFact(!manifest.slot && !manifest.version_match, "conditions"));
  PAWL_TRY(CheckFact(manifest.security_version == release.security_version, "security version"));
  PAWL_TRY(CheckFact(manifest.min_board_revision == release.min_board_revision, "board revision"));
  PAWL_TRY(CheckFact(manifest.trial_budget_s == release.trial_budget_s, "trial budget"));
  return CheckFact(manifest.use_before == release.use_before_s, "use-before date");
}

}  // namespace

Result<ReleaseFacts> FactsOf(const data::Release& release, const data::Class& cls) {
  ReleaseFacts facts;
  facts.vendor = cls.vendor;
  facts.class_name = cls.name;
  facts.sequence = release.sequence;
  PAWL_ASSIGN(facts.version, ParseVersion(release.version));
  facts.security_version = release.security_version;
  facts.min_board_revision = release.min_board_revision;
  facts.trial_budget_s = release.trial_budget_s;
  facts.use_before = release.use_before_s;
  return facts;
}

Result<data::SignedManifest> CheckSigned(const SignedManifest& signed_manifest, const data::Release& release,
                                         const data::Class& cls) {
  PAWL_ASSIGN(const KeyTable keys, DecodeAnchors(cls.anchors));
  PAWL_ASSIGN(const VerifiedManifest verified, Verify(signed_manifest.envelope, keys));
  PAWL_TRY(CheckFacts(verified.get(), release, cls));
  PAWL_ASSIGN(const EnvelopeView envelope, DecodeEnvelope(signed_manifest.envelope));
  data::SignedManifest checked{verified.digest(), signed_manifest.envelope, {}};
  for (const SignatureBlock& block : envelope.signatures) checked.keys.push_back(block.kid);
  return checked;
}

ReleaseWorker::ReleaseWorker(ReleaseWorkerConfig config, data::Database& database, const store::ArtifactStore& store,
                             ManifestSigner signer, Log log)
    : config_(std::move(config)),
      database_(database),
      store_(store),
      signer_(std::move(signer)),
      log_(std::move(log)) {}

ReleaseWorker::~ReleaseWorker() { Stop(); }

void ReleaseWorker::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void ReleaseWorker::Wake() {
  {
    const std::scoped_lock lock(mutex_);
    woken_ = true;
  }
  changed_.notify_one();
}

void ReleaseWorker::Stop() { thread_ = {}; }

void ReleaseWorker::Run(const std::stop_token& stop) {
  auto backoff = config_.retry_min;
  bool waiting = false;
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      const auto ready = [&] { return woken_; };
      // While the HSM is away every commit would mean another attempt: then only time counts.
      if (waiting) {
        changed_.wait_for(lock, stop, backoff, [] { return false; });
      } else {
        changed_.wait(lock, stop, ready);
      }
      woken_ = false;
    }
    if (stop.stop_requested()) return;
    const bool was_waiting = waiting;
    waiting = !SignAll(stop);
    backoff = waiting && was_waiting ? std::min(backoff * 2, config_.retry_max) : config_.retry_min;
  }
}

// False: some release must wait.
bool ReleaseWorker::SignAll(const std::stop_token& stop) {
  bool all = true;
  for (;;) {
    const auto releases = database_.Read([](sql::Tx& tx) { return data::ReleasesToSign(tx, kBatch); });
    if (!releases) return false;
    bool progress = false;
    for (const data::Release& release : *releases) {
      if (stop.stop_requested()) return true;
      const bool settled = SignOne(release);
      progress |= settled;
      all &= settled;
    }
    if (!progress || releases->size() < kBatch) return all;
  }
}

// False: it waits.
bool ReleaseWorker::SignOne(const data::Release& release) {
  const auto made = Sign(release);
  if (!made) return Settle(release, made.error());
  const Status published = database_.Write([&](sql::Tx& tx) { return data::PublishRelease(tx, release.id, *made); });
  if (!published) return Settle(release, published.error());
  log_("msg=\"release published\" release=" + release.id + " class=" + release.class_name +
       " version=" + release.version);
  return true;
}

bool ReleaseWorker::Settle(const data::Release& release, const Error& error) {
  if (IsTemporary(error.reason)) {
    const std::string text = WaitingText(error);
    if (release.waiting != text) {
      const Status noted = database_.Write([&](sql::Tx& tx) { return data::NoteReleaseWaiting(tx, release.id, text); });
      if (noted) log_("msg=\"release waits\" release=" + release.id + " for=\"" + text + "\"");
    }
    return false;
  }
  const Status refused =
      database_.Write([&](sql::Tx& tx) { return data::RefuseRelease(tx, release.id, error.reason, error.detail); });
  log_("msg=\"release refused\" release=" + release.id + " reason=\"" + std::string(Text(error.reason)) +
       "\" detail=\"" + std::string(error.detail.view()) + "\"");
  return refused.has_value();
}

Result<data::SignedManifest> ReleaseWorker::Sign(const data::Release& release) {
  PAWL_ASSIGN(const data::Class cls,
              database_.Read([&](sql::Tx& tx) { return data::GetClass(tx, release.class_name); }));
  PAWL_ASSIGN(const ReleaseFacts facts, FactsOf(release, cls));
  PAWL_ASSIGN(std::string path, store_.LocalPath(release.artifact));
  if (!path.starts_with(config_.artifact_root + "/")) {
    return Fail(Reason::kInvalidArgument, "the artifact's path " + path + " is not below " + config_.artifact_root);
  }
  path.erase(0, config_.artifact_root.size() + 1);
  PAWL_ASSIGN(const SignedManifest made, signer_(facts, {path, release.artifact, release.artifact_bytes}));
  return CheckSigned(made, release, cls);
}

}  // namespace pawl
