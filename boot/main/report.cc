#include "boot/main/report.h"

#include <boost/json.hpp>

#include "base/text.h"

namespace pawl {
namespace {

namespace json = boost::json;

std::string Hex(ByteView bytes) {
  std::string text(2 * bytes.size(), ' ');
  HexEncode(bytes, text);
  return text;
}

std::string_view Text(RecordKind kind) {
  switch (kind) {
    case RecordKind::kValid:
      return "valid";
    case RecordKind::kLost:
      return "lost";
    case RecordKind::kBlank:
      return "blank";
  }
  return "";
}

std::string_view YesNo(bool value) { return value ? "yes" : "no"; }

std::string Verdict(const Status& verdict) {
  if (verdict) return "verifies";
  std::string text(Text(verdict.error().reason));
  if (!verdict.error().detail.empty()) text += ": " + std::string(verdict.error().detail.view());
  return text;
}

// Serial lines may hold anything; JSON takes UTF-8 only.
std::string Ascii(std::string_view text) {
  std::string ascii(text);
  for (char& c : ascii) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  return ascii;
}

json::value JsonOf(const std::optional<Slot>& slot) {
  return slot ? json::value(std::string(Text(*slot))) : json::value(nullptr);
}

json::object JsonOf(const BootRecord& record) {
  return {{"sequence", record.sequence},
          {"confirmed", std::string(Text(record.confirmed))},
          {"proven", bool{record.proven}},
          {"pending", JsonOf(record.pending)},
          {"started", bool{record.started}},
          {"attempts_left", record.attempts_left},
          {"power_attempts_left", record.power_attempts_left},
          {"reason", static_cast<std::uint16_t>(record.reason)},
          {"reason_text", std::string(Text(record.reason))},
          {"detail", std::string(record.detail.view())},
          {"trial", record.trial},
          {"job", record.job},
          {"trial_digest", Hex(record.trial_digest)},
          {"owed", bool{record.owed}},
          {"emergency_reason", static_cast<std::uint16_t>(record.emergency_reason)},
          {"emergency_text", std::string(Text(record.emergency_reason))},
          {"emergency_count", record.emergency_count},
          {"floor", record.floor}};
}

json::object JsonOf(const SlotStatus& slot) {
  json::object object{{"verifies", slot.verdict.has_value()}, {"verdict", Verdict(slot.verdict)}};
  object["reason"] = slot.verdict ? 0 : static_cast<int>(slot.verdict.error().reason);
  if (!slot.manifest) return object;
  object["version"] = std::string(ToText(slot.manifest->version).view());
  object["sequence"] = slot.manifest->sequence;
  object["security_version"] = slot.manifest->security_version;
  object["manifest_digest"] = Hex(slot.manifest_digest);
  object["image_digest"] = Hex(slot.manifest->image_digest);
  object["image_bytes"] = slot.manifest->image_bytes;
  return object;
}

std::string RecordAsText(const RecordState& state) {
  std::string text = "record     " + std::string(Text(state.kind));
  if (state.kind != RecordKind::kValid) return text + "\n";
  const BootRecord& record = state.record;
  text += ", sequence " + std::to_string(record.sequence) + "\n";
  text += "confirmed  " + std::string(Text(record.confirmed)) +
          (record.proven ? "" : ", not yet proven by a self-test") + "\n";
  text += "pending    " + std::string(record.pending ? Text(*record.pending) : "none");
  if (record.pending) {
    text += record.started ? ", started" : ", not started";
    text += ", " + std::to_string(record.attempts_left) + " attempts and " +
            std::to_string(record.power_attempts_left) + " power attempts left";
  }
  text += "\nlast trial " + std::to_string(record.trial);
  if (record.trial != 0) {
    text += ", job " + std::to_string(record.job) + ", reason " + std::string(Text(record.reason));
    if (!record.detail.empty()) text += " (" + std::string(record.detail.view()) + ")";
    text += ", rollback owed " + std::string(YesNo(record.owed));
  }
  text += "\nemergency  " + std::string(Text(record.emergency_reason)) + ", count " +
          std::to_string(record.emergency_count);
  return text + "\nfloor      " + std::to_string(record.floor) + "\n";
}

std::string SlotAsText(Slot which, const SlotStatus& slot) {
  std::string text = "slot " + std::string(Text(which)) + "     " + Verdict(slot.verdict) + "\n";
  if (!slot.manifest) return text;
  const Manifest& manifest = *slot.manifest;
  text += "           version " + std::string(ToText(manifest.version).view()) + ", sequence " +
          std::to_string(manifest.sequence) + ", security version " + std::to_string(manifest.security_version) + ", " +
          std::to_string(manifest.image_bytes) + " bytes\n";
  text += "           manifest " + Hex(slot.manifest_digest) + "\n";
  return text + "           image    " + Hex(manifest.image_digest) + "\n";
}

}  // namespace

std::string EventAsText(const MachineEvent& event) { return event.text; }

std::string EventAsJson(const MachineEvent& event) {
  json::object object{{"time", TimeStamp()}, {"event", std::string(event.name)}, {"text", Ascii(event.text)}};
  for (const auto& [name, value] : event.fields) object[name] = value;
  return json::serialize(object);
}

std::string StatusAsText(const std::string& dir, const DeviceStatus& status) {
  std::string text = "device     " + dir + (status.running ? ", its machine runs" : ", switched off") + "\n";
  text += "rom        " + (status.rom ? std::string("good") : Verdict(status.rom)) + "\n";
  text += "watchdog   " + std::to_string(status.config.watchdog_ms) + " ms\n";
  text += RecordAsText(status.record);
  return text + SlotAsText(Slot::kA, status.slots[0]) + SlotAsText(Slot::kB, status.slots[1]);
}

std::string StatusAsJson(const DeviceStatus& status) {
  json::object object{{"running", status.running},
                      {"rom", status.rom ? std::string("good") : Verdict(status.rom)},
                      {"watchdog_ms", status.config.watchdog_ms},
                      {"slot_bytes", status.config.slot_bytes},
                      {"record", std::string(Text(status.record.kind))}};
  if (status.record.kind == RecordKind::kValid) object["state"] = JsonOf(status.record.record);
  object["slots"] = json::object{{"A", JsonOf(status.slots[0])}, {"B", JsonOf(status.slots[1])}};
  return json::serialize(object);
}

}  // namespace pawl
