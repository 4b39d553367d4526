#include "agent/io/status.h"

#include <boost/json.hpp>

#include "agent/io/boot_control.h"
#include "agent/io/files.h"
#include "slots/file/file_flash.h"

namespace pawl::agent {
namespace {

namespace json = boost::json;

FileFlash::Options ReadOnly(FileFlash::Options options) {
  options.read_only = true;
  return options;
}

std::optional<SlotManifest> ReadSlot(const std::string& path, const KeyTable& anchors) {
  const auto slot = FileFlash::Open(path, ReadOnly(kSlotFileOptions));
  if (!slot) return std::nullopt;
  const auto manifest = ReadManifest(**slot, anchors);
  if (!manifest) return std::nullopt;
  return SlotManifest{manifest->get().version, manifest->get().sequence};
}

std::optional<Ledger> ReadLedger(const std::string& path) {
  const auto content = ReadFile(path, 65536);
  if (!content || content->size() < 4096 + kCellBytes) return std::nullopt;
  const ByteView bytes = *content;
  const auto cell = NewestCell(kLedgerKind, bytes.first(kCellBytes), bytes.subspan(4096, kCellBytes));
  if (!cell || !*cell) return std::nullopt;
  const auto ledger = DecodeLedger((*cell)->payload);
  return ledger ? std::optional<Ledger>(*ledger) : std::nullopt;
}

json::value SlotOrNull(const std::optional<Slot>& slot) {
  if (!slot) return nullptr;
  return json::string(Text(*slot));
}

json::value RecordJson(const RecordState& state) {
  if (state.kind != RecordKind::kValid) return nullptr;
  const BootRecord& record = state.record;
  return json::object{{"confirmed", Text(record.confirmed)},
                      {"proven", record.proven},
                      {"pending", SlotOrNull(record.pending)},
                      {"attempts_left", record.attempts_left},
                      {"trial", record.trial},
                      {"owed", record.owed},
                      {"reason", Text(record.reason)},
                      {"detail", record.detail.view()},
                      {"floor", record.floor}};
}

json::value SlotJson(const std::optional<SlotManifest>& slot) {
  if (!slot) return nullptr;
  return json::object{{"version", ToText(slot->version).view()}, {"sequence", slot->sequence}};
}

json::value JobJson(const std::optional<Ledger>& ledger) {
  if (!ledger || !ledger->job) return nullptr;
  const wire::JobState& job = *ledger->job;
  return json::object{{"n", job.n}, {"phase", Text(job.phase)}, {"reason", Text(job.reason)}, {"detail", job.detail}};
}

void AddLine(std::string& text, std::string_view name, std::string_view value) {
  text.append(name).append(14 - name.size(), ' ').append(value).append("\n");
}

std::string SlotLine(const std::optional<SlotManifest>& slot) {
  if (!slot) return "nothing that verifies";
  return std::string(ToText(slot->version).view()) + ", sequence " + std::to_string(slot->sequence);
}

std::string RecordLine(const RecordState& state) {
  if (state.kind != RecordKind::kValid) return state.kind == RecordKind::kBlank ? "blank" : "lost";
  const BootRecord& record = state.record;
  std::string line = "confirmed " + std::string(Text(record.confirmed)) + (record.proven ? "" : " (unproven)");
  if (record.pending) line += ", pending " + std::string(Text(*record.pending));
  if (record.owed)
    line += ", rollback owed: " + std::string(Text(record.reason)) + " " + std::string(record.detail.view());
  return line + ", floor " + std::to_string(record.floor);
}

}  // namespace

Result<DeviceStatus> ReadStatus(const Config& config) {
  DeviceStatus status;
  PAWL_ASSIGN(const KeyTable anchors, LoadAnchors(config));
  if (auto identity = LoadIdentity(config)) status.certificate = identity->facts;
  PAWL_ASSIGN(const auto record_flash, FileFlash::Open(config.record, ReadOnly(kRecordFileOptions)));
  status.record = RecordStore(*record_flash).Peek();
  status.slots = {ReadSlot(config.slot_a, anchors), ReadSlot(config.slot_b, anchors)};
  status.ledger = ReadLedger(config.InData("ledger.bin"));
  return status;
}

std::string StatusJson(const DeviceStatus& status) {
  json::object object;
  object["device"] = status.certificate ? json::value(status.certificate->common_name) : json::value(nullptr);
  object["certificate_expires"] =
      status.certificate ? json::value(status.certificate->not_after) : json::value(nullptr);
  object["record"] = RecordJson(status.record);
  object["slots"] = json::object{{"A", SlotJson(status.slots[0])}, {"B", SlotJson(status.slots[1])}};
  object["rev"] = status.ledger ? json::value(status.ledger->rev) : json::value(nullptr);
  object["job"] = JobJson(status.ledger);
  return json::serialize(object);
}

std::string StatusText(const DeviceStatus& status) {
  std::string text;
  AddLine(text, "device", status.certificate ? status.certificate->common_name : "not enrolled: pawl-agent enrol");
  AddLine(text, "slot A", SlotLine(status.slots[0]));
  AddLine(text, "slot B", SlotLine(status.slots[1]));
  AddLine(text, "boot record", RecordLine(status.record));
  std::string job = "none";
  if (status.ledger && status.ledger->job) {
    job = std::to_string(status.ledger->job->n) + " " + std::string(Text(status.ledger->job->phase));
    if (!status.ledger->job->detail.empty()) job += ": " + status.ledger->job->detail;
  }
  AddLine(text, "job", job);
  return text;
}

}  // namespace pawl::agent
