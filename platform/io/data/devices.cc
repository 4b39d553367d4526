#include "platform/io/data/devices.h"

#include "platform/io/data/audit.h"
#include "platform/io/data/classes.h"
#include "platform/io/data/device_rows.h"
#include "platform/io/data/events.h"
#include "platform/io/data/job_rows.h"
#include "platform/io/data/json_text.h"
#include "platform/io/data/rows.h"
#include "trust/crypto/crypto.h"
#include "wire/json/json.h"

namespace pawl::data {
namespace {

constexpr std::size_t kClaimBytes = 16;

constexpr std::string_view kStates[] = {"claimed", "active", "suspended", "quarantined", "decommissioned"};
constexpr std::string_view kActions[] = {"suspend", "activate", "quarantine", "decommission"};

// docs/spec/protocol.md, "Device states"; held against it by a test. What is not listed is not allowed.
struct Transition {
  DeviceState from;
  DeviceAction action;
  DeviceState to;
};
constexpr Transition kTransitions[] = {
    {DeviceState::kClaimed, DeviceAction::kSuspend, DeviceState::kSuspended},
    {DeviceState::kClaimed, DeviceAction::kQuarantine, DeviceState::kQuarantined},
    {DeviceState::kClaimed, DeviceAction::kDecommission, DeviceState::kDecommissioned},
    {DeviceState::kActive, DeviceAction::kSuspend, DeviceState::kSuspended},
    {DeviceState::kActive, DeviceAction::kQuarantine, DeviceState::kQuarantined},
    {DeviceState::kActive, DeviceAction::kDecommission, DeviceState::kDecommissioned},
    {DeviceState::kSuspended, DeviceAction::kActivate, DeviceState::kActive},
    {DeviceState::kSuspended, DeviceAction::kQuarantine, DeviceState::kQuarantined},
    {DeviceState::kSuspended, DeviceAction::kDecommission, DeviceState::kDecommissioned},
    {DeviceState::kQuarantined, DeviceAction::kActivate, DeviceState::kActive},
    {DeviceState::kQuarantined, DeviceAction::kDecommission, DeviceState::kDecommissioned},
};

struct ActionRow {
  DeviceAction action;
  DeviceState reaches;
  EventKind event;
};
constexpr ActionRow kActionRows[] = {
    {DeviceAction::kSuspend, DeviceState::kSuspended, EventKind::kDeviceSuspended},
    {DeviceAction::kActivate, DeviceState::kActive, EventKind::kDeviceActivated},
    {DeviceAction::kQuarantine, DeviceState::kQuarantined, EventKind::kDeviceQuarantined},
    {DeviceAction::kDecommission, DeviceState::kDecommissioned, EventKind::kDeviceDecommissioned},
};

constexpr std::string_view kColumns =
    "SELECT d.id, d.class, d.state, d.state_reason, d.board_revision, d.attributes, d.connected, d.last_seen_ms, "
    "d.created_ms, d.pin, d.next_pin, d.certificate_expires_ms, d.claim_expires_ms, d.told, d.agent, d.floor, "
    "d.slot_bytes, d.watchdog_s, d.encodings, d.keys, d.via FROM devices d";

Device ToDevice(const sql::Row& row) {
  Device device;
  device.id = row.String(0);
  device.class_name = row.String(1);
  device.state = ParseDeviceState(row.Text(2)).value_or(DeviceState::kQuarantined);
  device.state_reason = row.String(3);
  device.board_revision = row.U64(4);
  device.attributes = DecodeAttributes(row.Text(5));
  device.connected = row.Bool(6);
  device.last_seen_ms = row.MaybeInt(7);
  device.created_ms = row.Int(8);
  device.pin = MaybeFixed<32>(row, 9);
  device.next_pin = MaybeFixed<32>(row, 10);
  device.certificate_expires_ms = row.MaybeInt(11);
  device.claim_expires_ms = row.MaybeInt(12);
  if (auto told = wire::DecodeState(row.Text(13))) device.told = *std::move(told);
  device.agent = row.String(14);
  device.floor = row.U32(15);
  device.slot_bytes = row.U64(16);
  device.watchdog_s = row.U32(17);
  device.encodings = DecodeTexts(row.Text(18));
  device.keys = Split<8>(row.Bytes(19));
  device.via = row.String(20);
  return device;
}

Status CheckAttributes(const std::vector<wire::Attribute>& attributes) {
  if (attributes.size() > wire::kMaxAttributes) return Fail(Reason::kInvalidArgument, "at most 16 attributes");
  for (const wire::Attribute& attribute : attributes) {
    if (attribute.name.empty() || attribute.name.size() > wire::kMaxNameBytes ||
        attribute.value.size() > wire::kMaxValueBytes) {
      return Fail(Reason::kInvalidArgument, "an attribute's name has 1 to 64 bytes, its value at most 128");
    }
  }
  return {};
}

Result<Claim> StoreClaim(sql::Tx& tx, std::string_view id) {
  std::array<std::uint8_t, kClaimBytes> token{};
  RandomBytes(token);
  Claim claim{Hex(token), tx.now_ms() + kClaimLifeS * 1000};
  PAWL_TRY(tx.Execute("UPDATE devices SET claim_hash = ?, claim_expires_ms = ?, claim_spki = NULL WHERE id = ?",
                      {crypto::Hash(AsBytes(claim.token)), claim.expires_ms, id}));
  return claim;
}

std::string Because(std::string_view reason) { return reason.empty() ? "" : ": " + std::string(reason); }

// `*` and `?` as LIKE knows them; what LIKE would take for more is escaped.
std::string LikeOf(std::string_view glob) {
  std::string like;
  for (const char c : glob) {
    if (c == '*') {
      like += '%';
    } else if (c == '?') {
      like += '_';
    } else {
      if (c == '%' || c == '_' || c == '\\') like += '\\';
      like += c;
    }
  }
  return like;
}

// The filter as SQL; its parameters are appended to `args`. `globbed` keeps the pattern alive.
std::string WhereOf(const DeviceFilter& filter, std::string& globbed, std::vector<sql::Arg>& args) {
  std::string where;
  if (filter.state) {
    where += " AND d.state = ?";
    args.emplace_back(Text(*filter.state));
  }
  if (!filter.class_name.empty()) {
    where += " AND d.class = ?";
    args.emplace_back(filter.class_name);
  }
  if (!filter.via.empty()) {
    where += " AND d.via = ?";
    args.emplace_back(filter.via);
  }
  for (const wire::Attribute& attribute : filter.attributes) {
    where += " AND EXISTS (SELECT 1 FROM device_attributes t WHERE t.device = d.id AND t.name = ? AND t.value = ?)";
    args.emplace_back(attribute.name);
    args.emplace_back(attribute.value);
  }
  if (!filter.id_glob.empty()) {
    globbed = LikeOf(filter.id_glob);
    where += " AND d.id LIKE ? ESCAPE '\\'";
    args.emplace_back(globbed);
  }
  return where;
}

Status CheckBoard(const Class& cls, std::uint64_t revision) {
  const bool fits =
      revision >= cls.min_board_revision && (cls.max_board_revision == 0 || revision <= cls.max_board_revision);
  if (fits) return {};
  return Fail(Reason::kInvalidArgument, "board_revision is " + std::to_string(revision) + ", class " + cls.name +
                                            " has boards from " + std::to_string(cls.min_board_revision) + " to " +
                                            std::to_string(cls.max_board_revision));
}

}  // namespace

std::string_view Text(DeviceState state) { return kStates[static_cast<std::size_t>(state)]; }
std::string_view Text(DeviceAction action) { return kActions[static_cast<std::size_t>(action)]; }

Result<DeviceState> ParseDeviceState(std::string_view text) {
  const auto* found = std::ranges::find(kStates, text);
  if (found == std::end(kStates)) {
    return Fail(Reason::kInvalidArgument, "no device state \"" + std::string(text) +
                                              "\": claimed, active, suspended, quarantined, decommissioned");
  }
  return static_cast<DeviceState>(found - kStates);
}

Status RaiseRegistryGeneration(sql::Tx& tx) {
  PAWL_TRY(tx.Execute("UPDATE counters SET value = value + 1 WHERE name = 'registry_generation'"));
  return {};
}

Status StoreAttributes(sql::Tx& tx, std::string_view id, const std::vector<wire::Attribute>& of_operator,
                       const std::vector<wire::Attribute>& told) {
  std::vector<wire::Attribute> all = of_operator;
  for (const wire::Attribute& attribute : told) {
    if (std::ranges::find(of_operator, attribute.name, &wire::Attribute::name) == of_operator.end()) {
      all.push_back(attribute);
    }
  }
  PAWL_TRY(tx.Execute("UPDATE devices SET operator_attributes = ?, attributes = ? WHERE id = ?",
                      {EncodeAttributes(of_operator), EncodeAttributes(all), id}));
  PAWL_TRY(tx.Execute("DELETE FROM device_attributes WHERE device = ?", {id}));
  for (const wire::Attribute& attribute : all) {
    PAWL_TRY(tx.Execute("INSERT INTO device_attributes (device, name, value) VALUES (?, ?, ?)",
                        {id, attribute.name, attribute.value}));
  }
  return {};
}

Status SetDeviceState(sql::Tx& tx, const Actor& actor, std::string_view id, DeviceState state, EventKind event,
                      std::string_view reason) {
  PAWL_TRY(tx.Execute("UPDATE devices SET state = ?, state_reason = ? WHERE id = ?", {Text(state), reason, id}));
  PAWL_TRY(RaiseRegistryGeneration(tx));
  PAWL_TRY(Audit(tx, actor, Text(event), id, JsonObject({{"state", Text(state)}, {"reason", reason}})));
  PAWL_TRY(Emit(tx, {.kind = event,
                     .text = std::string(id) + " is now " + std::string(Text(state)) + Because(reason),
                     .device = id,
                     .actor = actor.name}));
  if (state == DeviceState::kDecommissioned) return LoseOpenJob(tx, id, "the device was decommissioned");
  return {};
}

Result<ClaimedDevice> CreateDevice(sql::Tx& tx, const Actor& actor, const DeviceSpec& spec) {
  if (!wire::IsDeviceId(spec.id)) {
    return Fail(
        Reason::kInvalidArgument,
        "a device id is lower-case letters, digits, '.', '_', '-', at most 63, and begins with letter or digit");
  }
  if (spec.board_revision > wire::kMaxNumber) return Fail(Reason::kInvalidArgument, "board_revision is too large");
  PAWL_TRY(CheckAttributes(spec.attributes));
  PAWL_ASSIGN(const Class cls, GetClass(tx, spec.class_name));
  PAWL_TRY(CheckBoard(cls, spec.board_revision));
  PAWL_ASSIGN(const auto inserted,
              tx.Execute("INSERT INTO devices (id, class, state, board_revision, operator_attributes, attributes, "
                         "created_ms) VALUES (?, ?, 'claimed', ?, '{}', '{}', ?) ON CONFLICT DO NOTHING",
                         {spec.id, cls.name, spec.board_revision, tx.now_ms()}));
  if (inserted == 0) return Fail(Reason::kConflict, "there is a device \"" + spec.id + "\" already");
  PAWL_TRY(StoreAttributes(tx, spec.id, spec.attributes, {}));
  PAWL_ASSIGN(Claim claim, StoreClaim(tx, spec.id));
  PAWL_TRY(RaiseRegistryGeneration(tx));
  PAWL_TRY(Audit(tx, actor, "device.create", spec.id, JsonObject({{"class", cls.name}})));
  PAWL_TRY(Emit(tx, {.kind = EventKind::kDeviceClaimed,
                     .text = spec.id + " may enrol, as " + cls.name,
                     .device = spec.id,
                     .actor = actor.name}));
  PAWL_ASSIGN(Device device, GetDevice(tx, spec.id));
  return ClaimedDevice{std::move(device), std::move(claim)};
}

Result<Claim> NewClaim(sql::Tx& tx, const Actor& actor, std::string_view id) {
  PAWL_ASSIGN(const Device device, GetDevice(tx, id));
  if (device.state == DeviceState::kActive) {
    return Fail(Reason::kConflict, device.id + " is active: suspend it first, a new claim takes its key away");
  }
  if (device.state == DeviceState::kDecommissioned) return Fail(Reason::kConflict, device.id + " is decommissioned");
  PAWL_TRY(
      tx.Execute("UPDATE devices SET pin = NULL, certificate = NULL, certificate_expires_ms = NULL, "
                 "next_pin = NULL, next_certificate = NULL, next_certificate_expires_ms = NULL, session = 0, "
                 "boots = x'', nonces = x'' WHERE id = ?",
                 {id}));
  PAWL_TRY(SetDeviceState(tx, actor, id, DeviceState::kClaimed, EventKind::kDeviceClaimed, "new claim"));
  return StoreClaim(tx, id);
}

Result<Device> GetDevice(sql::Tx& tx, std::string_view id) {
  PAWL_ASSIGN(auto device, tx.One(std::string(kColumns) + " WHERE d.id = ?", {id}, ToDevice));
  if (!device) return Fail(Reason::kNotFound, "no device \"" + std::string(id) + "\"");
  return *std::move(device);
}

Result<Page<Device>> ListDevices(sql::Tx& tx, const DeviceFilter& filter, const PageRequest& page) {
  std::vector<sql::Arg> args = {page.after};
  std::string globbed;
  const std::string where = WhereOf(filter, globbed, args);
  return ListPage(tx, std::string(kColumns) + " WHERE d.id > ?" + where + " ORDER BY d.id LIMIT ?", args, page,
                  ToDevice, [](const Device& device) { return device.id; });
}

Result<std::vector<std::string>> MatchDevices(sql::Tx& tx, const DeviceFilter& filter) {
  std::vector<sql::Arg> args;
  std::string globbed;
  const std::string where = WhereOf(filter, globbed, args);
  return tx.All(
      "SELECT d.id FROM devices d WHERE d.state NOT IN ('quarantined', 'decommissioned')" + where + " ORDER BY d.id",
      args, [](const sql::Row& row) { return row.String(0); });
}

Result<Device> ChangeDeviceState(sql::Tx& tx, const Actor& actor, std::string_view id, DeviceAction action,
                                 std::string_view reason) {
  PAWL_TRY(CheckReason(reason));
  PAWL_ASSIGN(Device device, GetDevice(tx, id));
  const ActionRow& row = *std::ranges::find(kActionRows, action, &ActionRow::action);
  if (device.state == row.reaches) return device;
  const auto* found = std::ranges::find_if(
      kTransitions, [&](const Transition& t) { return t.from == device.state && t.action == action; });
  if (found == std::end(kTransitions)) {
    return Fail(Reason::kConflict,
                "cannot " + std::string(Text(action)) + " " + device.id + ": it is " + std::string(Text(device.state)));
  }
  const bool never_pinned = action == DeviceAction::kActivate && !device.pin;
  PAWL_TRY(SetDeviceState(tx, actor, id, never_pinned ? DeviceState::kClaimed : found->to, row.event, reason));
  return GetDevice(tx, id);
}

Result<std::uint64_t> RegistryGeneration(sql::Tx& tx) {
  PAWL_ASSIGN(const auto generation, tx.One("SELECT value FROM counters WHERE name = 'registry_generation'", {},
                                            [](const sql::Row& row) { return row.U64(0); }));
  return generation.value_or(0);
}

Status EachRegistryEntry(sql::Tx& tx, const std::function<Status(const RegistryEntry&)>& each) {
  return tx.Query("SELECT id, state, pin, next_pin FROM devices ORDER BY id", {}, [&](const sql::Row& row) -> Status {
    RegistryEntry entry;
    entry.id = row.String(0);
    entry.state = ParseDeviceState(row.Text(1)).value_or(DeviceState::kQuarantined);
    for (const int column : {2, 3}) {
      if (const auto pin = MaybeFixed<32>(row, column)) entry.pins.push_back(*pin);
    }
    entry.admitted =
        !entry.pins.empty() && (entry.state == DeviceState::kActive || entry.state == DeviceState::kClaimed);
    return each(entry);
  });
}

}  // namespace pawl::data
