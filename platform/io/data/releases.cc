#include "platform/io/data/releases.h"

#include "platform/io/data/artifacts.h"
#include "platform/io/data/audit.h"
#include "platform/io/data/classes.h"
#include "platform/io/data/events.h"
#include "platform/io/data/json_text.h"
#include "platform/io/data/rows.h"
#include "trust/manifest/manifest.h"
#include "wire/messages.h"

namespace pawl::data {
namespace {

constexpr std::string_view kStates[] = {"signing", "published", "refused"};
constexpr std::uint64_t kSlotTrailerBytes = 8192;  // holds the envelope, at the end of a slot
constexpr std::uint64_t kMaxU32 = 0xFFFFFFFF;

constexpr std::string_view kColumns =
    "SELECT r.id, r.class, r.artifact, a.bytes, r.version, r.security_version, r.min_board_revision, r.trial_budget_s, "
    "r.use_before_s, r.sequence, r.state, r.reason, r.detail, r.waiting, r.manifest_digest, LENGTH(r.envelope), "
    "r.keys, "
    "r.created_ms, r.created_by, r.published_ms FROM releases r JOIN artifacts a ON a.digest = r.artifact";

Release ToRelease(const sql::Row& row) {
  Release release;
  release.id = row.String(0);
  release.class_name = row.String(1);
  release.artifact = row.Fixed<32>(2);
  release.artifact_bytes = row.U64(3);
  release.version = row.String(4);
  release.security_version = row.U64(5);
  release.min_board_revision = row.U64(6);
  release.trial_budget_s = row.U32(7);
  if (!row.IsNull(8)) release.use_before_s = row.U64(8);
  release.sequence = row.U64(9);
  const auto* state = std::ranges::find(kStates, row.Text(10));
  release.state = static_cast<ReleaseState>(state - kStates);
  release.reason = static_cast<Reason>(row.Int(11));
  release.detail = row.String(12);
  release.waiting = row.String(13);
  release.manifest_digest = MaybeFixed<32>(row, 14);
  release.envelope_bytes = row.U64(15);
  release.keys = Split<8>(row.Bytes(16));
  release.created_ms = row.Int(17);
  release.created_by = row.String(18);
  release.published_ms = row.MaybeInt(19);
  return release;
}

Status CheckSpec(const ReleaseSpec& spec) {
  PAWL_TRY(ParseVersion(spec.version));
  if (spec.security_version > kMaxU32 || spec.min_board_revision > kMaxU32) {
    return Fail(Reason::kInvalidArgument, "security_version and min_board_revision must be below 2^32");
  }
  if (spec.use_before_s && *spec.use_before_s > wire::kMaxNumber) {
    return Fail(Reason::kInvalidArgument, "use_before is too far away");
  }
  return {};
}

Result<std::uint64_t> NextSequence(sql::Tx& tx, std::string_view class_name) {
  PAWL_ASSIGN(const auto next, tx.One("UPDATE classes SET last_sequence = last_sequence + 1 WHERE name = ? "
                                      "RETURNING last_sequence",
                                      {class_name}, [](const sql::Row& row) { return row.U64(0); }));
  return next.value_or(0);
}

std::string NameOf(const Release& release) { return release.class_name + " " + release.version; }

Status EmitAbout(sql::Tx& tx, EventKind kind, const Release& release, const std::string& what, std::string_view actor) {
  PAWL_TRY(Emit(tx, {.kind = kind,
                     .text = "release " + NameOf(release) + " " + what,
                     .actor = actor,
                     .data = JsonObject({{"release", release.id},
                                         {"class", release.class_name},
                                         {"version", release.version},
                                         {"sequence", release.sequence}})}));
  return {};
}

Result<Release> GetSigning(sql::Tx& tx, std::string_view id) {
  PAWL_ASSIGN(Release release, GetRelease(tx, id));
  if (release.state != ReleaseState::kSigning) {
    return Fail(Reason::kConflict, "release " + NameOf(release) + " is " + std::string(Text(release.state)));
  }
  return release;
}

}  // namespace

std::string_view Text(ReleaseState state) { return kStates[static_cast<std::size_t>(state)]; }

Result<Release> CreateRelease(sql::Tx& tx, const Actor& actor, const ReleaseSpec& spec) {
  PAWL_TRY(CheckSpec(spec));
  PAWL_ASSIGN(const Class cls, GetClass(tx, spec.class_name));
  PAWL_ASSIGN(const Artifact artifact, GetArtifact(tx, spec.artifact));
  const std::uint32_t budget_s = spec.trial_budget_s.value_or(cls.max_trial_budget_s);
  PAWL_TRY(CheckTrialBudget(cls, budget_s));
  if (artifact.bytes + kSlotTrailerBytes > cls.slot_bytes) {
    return Fail(Reason::kImageTooLarge, "the image has " + std::to_string(artifact.bytes) + " bytes, a slot of class " +
                                            cls.name + " takes " + std::to_string(cls.slot_bytes - kSlotTrailerBytes));
  }
  PAWL_ASSIGN(const auto taken, tx.One("SELECT id FROM releases WHERE class = ? AND version = ? AND state <> 'refused'",
                                       {cls.name, spec.version}, [](const sql::Row& row) { return row.String(0); }));
  if (taken)
    return Fail(Reason::kConflict, "class " + cls.name + " has a release " + spec.version + " already: " + *taken);
  const std::string id = NewId(tx.now_ms());
  PAWL_ASSIGN(const std::uint64_t sequence, NextSequence(tx, cls.name));
  PAWL_TRY(tx.Execute(
      "INSERT INTO releases (id, class, artifact, version, security_version, min_board_revision, trial_budget_s, "
      "use_before_s, sequence, state, created_ms, created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'signing', ?, ?)",
      {id, cls.name, spec.artifact, spec.version, spec.security_version, spec.min_board_revision, budget_s,
       spec.use_before_s, sequence, tx.now_ms(), actor.name}));
  PAWL_ASSIGN(Release release, GetRelease(tx, id));
  PAWL_TRY(Audit(tx, actor, "release.create", id,
                 JsonObject({{"class", cls.name}, {"version", spec.version}, {"artifact", Hex(spec.artifact)}})));
  PAWL_TRY(EmitAbout(tx, EventKind::kReleaseSigning, release, "waits for its signature", actor.name));
  return release;
}

Result<Release> GetRelease(sql::Tx& tx, std::string_view id) {
  PAWL_ASSIGN(auto release, tx.One(std::string(kColumns) + " WHERE r.id = ?", {id}, ToRelease));
  if (!release) return Fail(Reason::kNotFound, "no release \"" + std::string(id) + "\"");
  return *std::move(release);
}

Result<Page<Release>> ListReleases(sql::Tx& tx, std::string_view class_name, const PageRequest& page) {
  const auto cursor = [](const Release& release) { return release.id; };
  if (class_name.empty()) {
    return ListPage(tx, std::string(kColumns) + " WHERE r.id < ? ORDER BY r.id DESC LIMIT ?", {NewestFirst(page)}, page,
                    ToRelease, cursor);
  }
  return ListPage(tx, std::string(kColumns) + " WHERE r.class = ? AND r.id < ? ORDER BY r.id DESC LIMIT ?",
                  {class_name, NewestFirst(page)}, page, ToRelease, cursor);
}

Result<std::vector<std::uint8_t>> GetEnvelope(sql::Tx& tx, std::string_view id) {
  PAWL_ASSIGN(const Release release, GetRelease(tx, id));
  if (release.state != ReleaseState::kPublished) {
    return Fail(Reason::kConflict,
                "release " + NameOf(release) + " is not published: it is " + std::string(Text(release.state)));
  }
  PAWL_ASSIGN(auto envelope, tx.One("SELECT envelope FROM releases WHERE id = ?", {id},
                                    [](const sql::Row& row) { return row.Blob(0); }));
  return envelope.value_or(std::vector<std::uint8_t>{});
}

Result<std::vector<Release>> ReleasesToSign(sql::Tx& tx, std::size_t limit) {
  return tx.All(std::string(kColumns) + " WHERE r.state = 'signing' ORDER BY r.created_ms, r.sequence, r.id LIMIT ?",
                {limit}, ToRelease);
}

Status NoteReleaseWaiting(sql::Tx& tx, std::string_view id, std::string_view text) {
  PAWL_ASSIGN(const Release release, GetSigning(tx, id));
  if (release.waiting == text) return {};
  PAWL_TRY(tx.Execute("UPDATE releases SET waiting = ? WHERE id = ?", {text, id}));
  if (text.empty()) return {};
  return EmitAbout(tx, EventKind::kReleaseWaiting, release, "waits: " + std::string(text), Platform().name);
}

Status PublishRelease(sql::Tx& tx, std::string_view id, const SignedManifest& signed_manifest) {
  PAWL_ASSIGN(const Release release, GetSigning(tx, id));
  PAWL_TRY(tx.Execute(
      "UPDATE releases SET state = 'published', waiting = '', manifest_digest = ?, envelope = ?, "
      "keys = ?, published_ms = ? WHERE id = ?",
      {signed_manifest.manifest_digest, signed_manifest.envelope, Join(signed_manifest.keys), tx.now_ms(), id}));
  PAWL_TRY(Audit(tx, Platform(), "release.publish", id,
                 JsonObject({{"manifest_digest", Hex(signed_manifest.manifest_digest)}})));
  return EmitAbout(tx, EventKind::kReleasePublished, release, "signed and published", Platform().name);
}

Status RefuseRelease(sql::Tx& tx, std::string_view id, Reason reason, std::string_view detail) {
  PAWL_ASSIGN(const Release release, GetSigning(tx, id));
  PAWL_TRY(tx.Execute("UPDATE releases SET state = 'refused', waiting = '', reason = ?, detail = ? WHERE id = ?",
                      {static_cast<std::uint16_t>(reason), detail, id}));
  std::string what = "refused: " + std::string(Text(reason));
  if (!detail.empty()) what.append(", ").append(detail);
  PAWL_TRY(Audit(tx, Platform(), "release.refuse", id, JsonObject({{"reason", Text(reason)}, {"detail", detail}})));
  return EmitAbout(tx, EventKind::kReleaseRefused, release, what, Platform().name);
}

}  // namespace pawl::data
