// The audit table: who changed what. Append-only by trigger; each row carries SHA-256 over the hash of the row before
// and its own content, so that an altered, removed or re-ordered row is found.
//
// Format  hash = SHA-256(previous hash (32; zeros for the first) || for each of id, at_ms, tenant, actor, action,
//         object, detail: its bytes' length as u32 LE, then its bytes; numbers in decimal).
#pragma once

#include "platform/io/data/common.h"

namespace pawl::data {

// `action` is a dot name ("release.create"); `object` the thing's id; `detail` a JSON object or empty.
Status Audit(sql::Tx& tx, const Actor& actor, std::string_view action, std::string_view object,
             std::string_view detail = "{}");

struct AuditEntry {
  std::int64_t id = 0;
  std::int64_t at_ms = 0;
  std::string actor, action, object, detail;
  Digest hash{};
};
Result<std::vector<AuditEntry>> ListAudit(sql::Tx& tx, std::int64_t after, std::size_t limit);

struct AuditVerdict {
  bool holds = true;
  std::int64_t rows = 0;
  Digest head{};     // hash of the last row: write it down elsewhere, and a cut-off end is found too
  std::string text;  // one sentence: "1204 rows hold" or which row is wrong and how
};
Result<AuditVerdict> VerifyAudit(sql::Tx& tx);

}  // namespace pawl::data
