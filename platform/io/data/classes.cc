#include "platform/io/data/classes.h"

#include "platform/io/data/audit.h"
#include "platform/io/data/events.h"
#include "platform/io/data/json_text.h"
#include "platform/io/data/rows.h"
#include "trust/sign/client.h"
#include "wire/messages.h"

namespace pawl::data {
namespace {

constexpr std::uint32_t kLongestTrialS = 86400;
constexpr std::uint64_t kSmallestSlotBytes = 64 * 1024;
constexpr std::uint64_t kMaxBoardRevision = 0xFFFFFFFF;
constexpr std::size_t kMaxDomainBytes = 253;

constexpr std::string_view kColumns =
    "SELECT name, vendor, slot_bytes, watchdog_s, max_trial_budget_s, patience_s, min_board_revision, "
    "max_board_revision, vendor_id, class_id, keys, anchors, created_ms FROM classes";

Class ToClass(const sql::Row& row) {
  Class cls;
  cls.name = row.String(0);
  cls.vendor = row.String(1);
  cls.slot_bytes = row.U64(2);
  cls.watchdog_s = row.U32(3);
  cls.max_trial_budget_s = row.U32(4);
  cls.patience_s = row.U32(5);
  cls.min_board_revision = row.U64(6);
  cls.max_board_revision = row.U64(7);
  cls.vendor_id = row.Fixed<16>(8);
  cls.class_id = row.Fixed<16>(9);
  cls.keys = Split<8>(row.Bytes(10));
  cls.anchors = row.Blob(11);
  cls.created_ms = row.Int(12);
  return cls;
}

bool IsDomain(std::string_view text) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; };
  return !text.empty() && text.size() <= kMaxDomainBytes && std::ranges::all_of(text, allowed);
}

}  // namespace

Status CheckTrialBudget(const ClassSpec& cls, std::uint32_t budget_s) {
  if (budget_s >= cls.watchdog_s && budget_s <= cls.max_trial_budget_s) return {};
  return Fail(Reason::kTrialBudget, "a trial budget of " + std::to_string(budget_s) + " s: class " + cls.name +
                                        " allows " + std::to_string(cls.watchdog_s) + " (its watchdog window) to " +
                                        std::to_string(cls.max_trial_budget_s) + " s");
}

Status CheckClass(const ClassSpec& spec) {
  if (!wire::IsDeviceId(spec.name)) {
    return Fail(Reason::kInvalidArgument, "a class's name is lower-case letters, digits, '.', '_', '-': at most 63");
  }
  if (!IsDomain(spec.vendor)) return Fail(Reason::kInvalidArgument, "vendor must be a domain, as \"pawl.example\"");
  if (spec.slot_bytes < kSmallestSlotBytes || spec.slot_bytes > wire::kMaxNumber) {
    return Fail(Reason::kInvalidArgument, "slot_bytes must be at least 65536");
  }
  if (spec.max_board_revision > kMaxBoardRevision ||
      (spec.max_board_revision != 0 && spec.max_board_revision < spec.min_board_revision)) {
    return Fail(Reason::kInvalidArgument, "max_board_revision must be 0 (no bound) or at least min_board_revision");
  }
  if (spec.min_board_revision > kMaxBoardRevision) {
    return Fail(Reason::kInvalidArgument, "min_board_revision is too large");
  }
  if (spec.watchdog_s < 1 || spec.max_trial_budget_s < spec.watchdog_s || spec.max_trial_budget_s > kLongestTrialS) {
    return Fail(Reason::kTrialBudget, "needed: 1 <= watchdog_s <= max_trial_budget_s <= 86400");
  }
  if (spec.patience_s > kLongestTrialS) return Fail(Reason::kInvalidArgument, "patience_s must be at most 86400");
  return {};
}

Result<Class> CreateClass(sql::Tx& tx, const Actor& actor, const ClassSpec& spec, ByteView anchors,
                          const std::vector<KeyId>& keys) {
  PAWL_TRY(CheckClass(spec));
  const Uuid vendor_id = VendorId(spec.vendor);
  const Uuid class_id = ClassId(vendor_id, spec.name);
  PAWL_ASSIGN(const auto taken, tx.One("SELECT 1 FROM classes WHERE name = ? OR class_id = ?", {spec.name, class_id},
                                       [](const sql::Row&) { return true; }));
  if (taken) return Fail(Reason::kConflict, "there is a class \"" + spec.name + "\" already");
  PAWL_TRY(tx.Execute(
      "INSERT INTO classes (name, vendor, slot_bytes, watchdog_s, max_trial_budget_s, patience_s, min_board_revision, "
      "max_board_revision, vendor_id, class_id, keys, anchors, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
      "?)",
      {spec.name, spec.vendor, spec.slot_bytes, spec.watchdog_s, spec.max_trial_budget_s, spec.patience_s,
       spec.min_board_revision, spec.max_board_revision, vendor_id, class_id, Join(keys), anchors, tx.now_ms()}));
  PAWL_TRY(Audit(tx, actor, "class.create", spec.name, JsonObject({{"class_id", Hex(class_id)}})));
  PAWL_TRY(Emit(tx, {.kind = EventKind::kClassCreated,
                     .text = "class " + spec.name + " created",
                     .actor = actor.name,
                     .data = JsonObject({{"class", spec.name}})}));
  return GetClass(tx, spec.name);
}

Result<Class> GetClass(sql::Tx& tx, std::string_view name) {
  PAWL_ASSIGN(auto cls, tx.One(std::string(kColumns) + " WHERE name = ?", {name}, ToClass));
  if (!cls) return Fail(Reason::kNotFound, "no class \"" + std::string(name) + "\"");
  return *std::move(cls);
}

Result<Page<Class>> ListClasses(sql::Tx& tx, const PageRequest& page) {
  return ListPage(tx, std::string(kColumns) + " WHERE name > ? ORDER BY name LIMIT ?", {page.after}, page, ToClass,
                  [](const Class& cls) { return cls.name; });
}

}  // namespace pawl::data
