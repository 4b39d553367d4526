#include "platform/io/data/artifacts.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/text.h"
#include "platform/io/data/audit.h"
#include "platform/io/data/events.h"
#include "platform/io/data/json_text.h"
#include "platform/io/data/rows.h"

namespace pawl::data {
namespace {

constexpr std::string_view kColumns = "SELECT digest, bytes, name, created_ms, created_by FROM artifacts";

Artifact ToArtifact(const sql::Row& row) {
  return {row.Fixed<32>(0), row.U64(1), row.String(2), row.Int(3), row.String(4)};
}

// Where a page of the newest-first list begins: "<created_ms>-<digest>" of the page before's last item.
struct Cursor {
  std::int64_t created_ms = std::numeric_limits<std::int64_t>::max();
  Digest digest{};
};
Result<Cursor> ParseCursor(const std::string& text) {
  Cursor cursor;
  if (text.empty()) return cursor;
  const std::size_t dash = std::min(text.find('-'), text.size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + dash, cursor.created_ms);
  const bool whole = error == std::errc() && end == text.data() + dash && dash < text.size();
  if (!whole || !HexDecode(std::string_view(text).substr(dash + 1), cursor.digest)) {
    return Fail(Reason::kInvalidArgument, "not a cursor: " + text);
  }
  return cursor;
}

}  // namespace

Result<AddedArtifact> AddArtifact(sql::Tx& tx, const Actor& actor, const Digest& digest, std::uint64_t bytes,
                                  std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes) {
    return Fail(Reason::kInvalidArgument, "an artifact's name has 1 to 128 bytes");
  }
  PAWL_ASSIGN(const auto inserted,
              tx.Execute("INSERT INTO artifacts (digest, bytes, name, created_ms, created_by) VALUES (?, ?, ?, ?, ?) "
                         "ON CONFLICT (digest) DO NOTHING",
                         {digest, bytes, name, tx.now_ms(), actor.name}));
  PAWL_ASSIGN(Artifact artifact, GetArtifact(tx, digest));
  if (inserted == 0) return AddedArtifact{std::move(artifact), false};
  const std::string data = JsonObject({{"digest", Hex(digest)}, {"bytes", bytes}, {"name", name}});
  PAWL_TRY(Audit(tx, actor, "artifact.create", Hex(digest), data));
  PAWL_TRY(Emit(tx, {.kind = EventKind::kArtifactStored,
                     .text = "artifact \"" + std::string(name) + "\" stored, " + std::to_string(bytes) + " bytes",
                     .actor = actor.name,
                     .data = data}));
  return AddedArtifact{std::move(artifact), true};
}

Result<Artifact> GetArtifact(sql::Tx& tx, const Digest& digest) {
  PAWL_ASSIGN(auto artifact, tx.One(std::string(kColumns) + " WHERE digest = ?", {digest}, ToArtifact));
  if (!artifact) return Fail(Reason::kNotFound, "no artifact " + Hex(digest));
  return *std::move(artifact);
}

Result<Page<Artifact>> ListArtifacts(sql::Tx& tx, const PageRequest& page) {
  PAWL_ASSIGN(const Cursor after, ParseCursor(page.after));
  return ListPage(tx,
                  std::string(kColumns) +
                      " WHERE created_ms < ? OR (created_ms = ? AND digest < ?) "
                      "ORDER BY created_ms DESC, digest DESC LIMIT ?",
                  {after.created_ms, after.created_ms, after.digest}, page, ToArtifact, [](const Artifact& artifact) {
                    return std::to_string(artifact.created_ms) + "-" + Hex(artifact.digest);
                  });
}

Status RemoveArtifact(sql::Tx& tx, const Actor& actor, const Digest& digest) {
  PAWL_ASSIGN(const Artifact artifact, GetArtifact(tx, digest));
  PAWL_ASSIGN(const auto used, tx.One("SELECT version, class FROM releases WHERE artifact = ? LIMIT 1", {digest},
                                      [](const sql::Row& row) { return row.String(0) + " of " + row.String(1); }));
  if (used) return Fail(Reason::kConflict, "the artifact is used by release " + *used);
  PAWL_TRY(tx.Execute("DELETE FROM artifacts WHERE digest = ?", {digest}));
  PAWL_TRY(Audit(tx, actor, "artifact.remove", Hex(digest), JsonObject({{"name", artifact.name}})));
  PAWL_TRY(Emit(tx, {.kind = EventKind::kArtifactRemoved,
                     .text = "artifact \"" + artifact.name + "\" removed",
                     .actor = actor.name,
                     .data = JsonObject({{"digest", Hex(digest)}})}));
  return {};
}

}  // namespace pawl::data
