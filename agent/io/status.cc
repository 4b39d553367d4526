#include "agent/io/status.h"

#include <boost/json.hpp>

#include "agent/io/boot_control.h"
#include "agent/io/serial/child_hardware.h"
#include "agent/io/serial/gateway.h"
#include "base/hosted/files.h"
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
  const ByteView bytes = AsBytes(*content);
  const auto cell = NewestCell(kLedgerKind, bytes.first(kCellBytes), bytes.subspan(4096, kCellBytes));
  if (!cell || !*cell) return std::nullopt;
  const auto ledger = DecodeLedger((*cell)->payload);
  return ledger ? std::optional<Ledger>(*ledger) : std::nullopt;
}

json::value SlotOrNull(const std::optional<Slot>& slot) {
  if (!slot) return nullptr;
  return json::string(Text(*slot));
}

json::value RecordJson(const std::optional<RecordState>& state) {
  if (!state || state->kind != RecordKind::kValid) return nullptr;
  const BootRecord& record = state->record;
  return json::object{{"confirmed", Text(record.confirmed)},
                      {"proven", bool{record.proven}},
                      {"pending", SlotOrNull(record.pending)},
                      {"attempts_left", record.attempts_left},
                      {"trial", record.trial},
                      {"owed", bool{record.owed}},
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

std::string RecordLine(const std::optional<RecordState>& state) {
  if (!state) return "not known";
  if (state->kind != RecordKind::kValid) return state->kind == RecordKind::kBlank ? "blank" : "lost";
  const BootRecord& record = state->record;
  std::string line = "confirmed " + std::string(Text(record.confirmed)) + (record.proven ? "" : " (unproven)");
  if (record.pending) line += ", pending " + std::string(Text(*record.pending));
  if (record.owed)
    line += ", rollback owed: " + std::string(Text(record.reason)) + " " + std::string(record.detail.view());
  return line + ", floor " + std::to_string(record.floor);
}

Status ReadMachine(const Config& config, const KeyTable& anchors, DeviceStatus& status) {
  PAWL_ASSIGN(const auto record_flash, FileFlash::Open(config.record, ReadOnly(kRecordFileOptions)));
  status.record = RecordStore(*record_flash).Peek();
  status.slots = {ReadSlot(config.slot_a, anchors), ReadSlot(config.slot_b, anchors)};
  return {};
}

std::string Trouble(const Error& error) {
  return std::string(Text(error.reason)) + ": " + std::string(error.detail.view());
}

// The slot that does not run is the child's secret; what is to go there lies in the spool.
void ReadChild(const Config& config, const KeyTable& anchors, DeviceStatus& status) {
  status.via = config.via;
  status.spool = ReadSlot(config.InData(kSpoolFile), anchors);
  const auto facts = AskChild(config);
  const auto boot = facts ? BootFactsOf(*facts) : Result<BootFacts>(std::unexpected(facts.error()));
  if (!boot) {
    status.child_trouble = Trouble(boot.error());
    return;
  }
  status.record = RecordState{RecordKind::kValid, boot->record};
  status.slots[static_cast<std::size_t>(boot->slot)] = SlotManifest{boot->running.version, boot->running.sequence};
}

}  // namespace

Result<DeviceStatus> ReadStatus(const Config& config) {
  DeviceStatus status;
  PAWL_ASSIGN(const KeyTable anchors, LoadAnchors(config));
  if (auto identity = LoadIdentity(config)) status.certificate = identity->facts;
  if (config.serial.empty()) {
    PAWL_TRY(ReadMachine(config, anchors, status));
  } else {
    ReadChild(config, anchors, status);
  }
  status.ledger = ReadLedger(config.InData("ledger.bin"));
  return status;
}

std::string StatusJson(const DeviceStatus& status) {
  json::object object;
  object["device"] = status.certificate ? json::value(status.certificate->common_name) : json::value(nullptr);
  object["certificate_expires"] =
      status.certificate ? json::value(status.certificate->not_after) : json::value(nullptr);
  object["via"] = status.via.empty() ? json::value(nullptr) : json::value(status.via);
  object["child_trouble"] = status.child_trouble.empty() ? json::value(nullptr) : json::value(status.child_trouble);
  object["spool"] = SlotJson(status.spool);
  object["record"] = RecordJson(status.record);
  object["slots"] = json::object{{"A", SlotJson(status.slots[0])}, {"B", SlotJson(status.slots[1])}};
  object["rev"] = status.ledger ? json::value(status.ledger->rev) : json::value(nullptr);
  object["job"] = JobJson(status.ledger);
  return json::serialize(object);
}

std::string StatusText(const DeviceStatus& status) {
  std::string text;
  AddLine(text, "device", status.certificate ? status.certificate->common_name : "not enrolled: pawl-agent enrol");
  const bool child = !status.via.empty();
  if (child) {
    AddLine(text, "via", status.via);
    AddLine(text, "child", status.child_trouble.empty() ? "answers" : status.child_trouble);
    AddLine(text, "spool", SlotLine(status.spool));
  }
  for (const Slot slot : {Slot::kA, Slot::kB}) {
    const auto& manifest = status.slots[static_cast<std::size_t>(slot)];
    AddLine(text, "slot " + std::string(Text(slot)), child && !manifest ? "not known" : SlotLine(manifest));
  }
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
