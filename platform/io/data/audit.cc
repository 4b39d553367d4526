#include "platform/io/data/audit.h"

#include <algorithm>

#include "trust/crypto/crypto.h"
#include "wire/messages.h"

namespace pawl::data {
namespace {

void AddField(crypto::Sha256& hash, std::string_view text) {
  std::array<std::uint8_t, 4> size{};
  StoreLe<std::uint32_t>(size, static_cast<std::uint32_t>(text.size()));
  hash.Update(size);
  hash.Update(AsBytes(text));
}

Digest HashOf(const Digest& previous, const AuditEntry& entry, std::string_view tenant) {
  crypto::Sha256 hash;
  hash.Update(previous);
  AddField(hash, std::to_string(entry.id));
  AddField(hash, std::to_string(entry.at_ms));
  for (const std::string_view field : {tenant, std::string_view(entry.actor), std::string_view(entry.action),
                                       std::string_view(entry.object), std::string_view(entry.detail)}) {
    AddField(hash, field);
  }
  return hash.Finish();
}

AuditEntry ToEntry(const sql::Row& row) {
  return {row.Int(0), row.Int(1), row.String(2), row.String(3), row.String(4), row.String(5), row.Fixed<32>(6)};
}

}  // namespace

Status Audit(sql::Tx& tx, const Actor& actor, std::string_view action, std::string_view object,
             std::string_view detail) {
  struct Head {
    std::int64_t id = 0;
    Digest hash{};
  };
  PAWL_ASSIGN(const auto head, tx.One("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1", {},
                                      [](const sql::Row& row) { return Head{row.Int(0), row.Fixed<32>(1)}; }));
  const Head previous = head.value_or(Head{});
  AuditEntry entry{previous.id + 1,     tx.now_ms(),         actor.name, std::string(action),
                   std::string(object), std::string(detail), {}};
  entry.hash = HashOf(previous.hash, entry, wire::kDefaultTenant);
  PAWL_TRY(
      tx.Execute("INSERT INTO audit (id, tenant, at_ms, actor, action, object, detail, hash) "
                 "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                 {entry.id, wire::kDefaultTenant, entry.at_ms, entry.actor, entry.action, entry.object, entry.detail,
                  entry.hash}));
  return {};
}

Result<std::vector<AuditEntry>> ListAudit(sql::Tx& tx, std::int64_t after, std::size_t limit) {
  return tx.All("SELECT id, at_ms, actor, action, object, detail, hash FROM audit WHERE id > ? ORDER BY id LIMIT ?",
                {after, std::clamp<std::size_t>(limit, 1, kMaxPage)}, ToEntry);
}

Result<AuditVerdict> VerifyAudit(sql::Tx& tx) {
  AuditVerdict verdict;
  PAWL_TRY(tx.Query("SELECT id, at_ms, actor, action, object, detail, hash, tenant FROM audit ORDER BY id", {},
                    [&](const sql::Row& row) -> Status {
                      if (!verdict.holds) return {};
                      const AuditEntry entry = ToEntry(row);
                      if (entry.id != verdict.rows + 1) {
                        verdict.holds = false;
                        verdict.text = "row " + std::to_string(verdict.rows + 1) + " is missing";
                      } else if (HashOf(verdict.head, entry, row.Text(7)) != entry.hash) {
                        verdict.holds = false;
                        verdict.text = "row " + std::to_string(entry.id) + " or the one before it was altered";
                      } else {
                        verdict.rows = entry.id;
                        verdict.head = entry.hash;
                      }
                      return {};
                    }));
  if (verdict.holds) verdict.text = std::to_string(verdict.rows) + " rows hold";
  return verdict;
}

}  // namespace pawl::data
