// Enrolment, renewal and admission: which key may act as which device. Part of devices.h.
#include "platform/io/data/audit.h"
#include "platform/io/data/device_rows.h"
#include "platform/io/data/devices.h"
#include "platform/io/data/json_text.h"
#include "platform/io/data/rows.h"
#include "trust/crypto/crypto.h"

namespace pawl::data {
namespace {

struct KeyRow {
  DeviceState state{};
  std::optional<Digest> claim_hash;
  std::int64_t claim_expires_ms = 0;
  std::optional<Digest> claim_spki;
  std::optional<Digest> pin;
  std::string certificate;
  std::optional<Digest> next_pin;
  std::string next_certificate;
};

Result<std::optional<KeyRow>> FindKeys(sql::Tx& tx, std::string_view id) {
  return tx.One(
      "SELECT state, claim_hash, claim_expires_ms, claim_spki, pin, certificate, next_pin, next_certificate "
      "FROM devices WHERE id = ?",
      {id}, [](const sql::Row& row) {
        KeyRow keys;
        keys.state = ParseDeviceState(row.Text(0)).value_or(DeviceState::kQuarantined);
        keys.claim_hash = MaybeFixed<32>(row, 1);
        keys.claim_expires_ms = row.Int(2);
        keys.claim_spki = MaybeFixed<32>(row, 3);
        keys.pin = MaybeFixed<32>(row, 4);
        keys.certificate = row.String(5);
        keys.next_pin = MaybeFixed<32>(row, 6);
        keys.next_certificate = row.String(7);
        return keys;
      });
}

// The token proves itself before anything about the device is told.
bool TokenHolds(sql::Tx& tx, const std::optional<KeyRow>& keys, std::string_view token) {
  const Digest stored = keys ? keys->claim_hash.value_or(Digest{}) : Digest{};
  const bool equal = EqualConstantTime(stored, crypto::Hash(AsBytes(token)));
  return equal && keys && keys->claim_hash && tx.now_ms() < keys->claim_expires_ms;
}

Result<Enrolment> RefuseSecondKey(sql::Tx& tx, std::string_view id) {
  constexpr std::string_view kReason = "a second key tried to use its claim";
  PAWL_TRY(Emit(
      tx, {.kind = EventKind::kClaimConflict, .text = std::string(id) + ": " + std::string(kReason), .device = id}));
  PAWL_TRY(SetDeviceState(tx, Platform(), id, DeviceState::kQuarantined, EventKind::kDeviceQuarantined, kReason));
  return Enrolment{Enrolment::Kind::kConflict, {}};
}

}  // namespace

Result<Enrolment> BeginEnrolment(sql::Tx& tx, std::string_view id, std::string_view token, const Digest& spki) {
  PAWL_ASSIGN(const auto keys, FindKeys(tx, id));
  if (!TokenHolds(tx, keys, token)) {
    return Fail(Reason::kUnauthenticated, "no such claim, or it has expired: make a new one with pawl device claim");
  }
  if (keys->state != DeviceState::kClaimed && keys->state != DeviceState::kActive) {
    return Fail(Reason::kForbidden, std::string(id) + " is " + std::string(Text(keys->state)));
  }
  if (keys->claim_spki && *keys->claim_spki != spki) return RefuseSecondKey(tx, id);
  if (keys->claim_spki && keys->pin == spki) return Enrolment{Enrolment::Kind::kCertificate, keys->certificate};
  PAWL_TRY(tx.Execute("UPDATE devices SET claim_spki = ? WHERE id = ?", {spki, id}));
  return Enrolment{Enrolment::Kind::kSign, {}};
}

Status FinishEnrolment(sql::Tx& tx, std::string_view id, const Digest& spki, std::string_view certificate,
                       std::int64_t expires_ms) {
  PAWL_ASSIGN(const auto changed, tx.Execute("UPDATE devices SET pin = ?, certificate = ?, certificate_expires_ms = ? "
                                             "WHERE id = ? AND claim_spki = ? AND state IN ('claimed', 'active')",
                                             {spki, certificate, expires_ms, id, spki}));
  if (changed == 0) return Fail(Reason::kConflict, "the claim of " + std::string(id) + " is no longer this key's");
  PAWL_TRY(RaiseRegistryGeneration(tx));
  PAWL_TRY(Audit(tx, {"device " + std::string(id)}, "device.enrol", id, JsonObject({{"spki", Hex(spki)}})));
  PAWL_TRY(Emit(tx, {.kind = EventKind::kDeviceEnrolled, .text = std::string(id) + " enrolled its key", .device = id}));
  return {};
}

Result<Enrolment> BeginRenewal(sql::Tx& tx, std::string_view id, const Digest& presented, const Digest& renewed) {
  PAWL_TRY(Admit(tx, id, presented));
  PAWL_ASSIGN(const auto keys, FindKeys(tx, id));
  if (keys->next_pin == renewed) return Enrolment{Enrolment::Kind::kCertificate, keys->next_certificate};
  return Enrolment{Enrolment::Kind::kSign, {}};
}

Status FinishRenewal(sql::Tx& tx, std::string_view id, const Digest& renewed, std::string_view certificate,
                     std::int64_t expires_ms) {
  PAWL_ASSIGN(const auto changed,
              tx.Execute("UPDATE devices SET next_pin = ?, next_certificate = ?, next_certificate_expires_ms = ? "
                         "WHERE id = ? AND pin IS NOT NULL AND state IN ('claimed', 'active')",
                         {renewed, certificate, expires_ms, id}));
  if (changed == 0) return Fail(Reason::kForbidden, std::string(id) + " may not renew its certificate now");
  PAWL_TRY(RaiseRegistryGeneration(tx));
  return Audit(tx, {"device " + std::string(id)}, "device.renew", id, JsonObject({{"spki", Hex(renewed)}}));
}

Result<Admission> Admit(sql::Tx& tx, std::string_view id, const Digest& spki) {
  PAWL_ASSIGN(const auto keys, FindKeys(tx, id));
  const bool pinned = keys && (keys->pin == spki || keys->next_pin == spki);
  if (!pinned) return Fail(Reason::kForbidden, "the key is not the one that is pinned for " + std::string(id));
  if (keys->state == DeviceState::kClaimed) return Admission{true};
  if (keys->state != DeviceState::kActive) {
    return Fail(Reason::kForbidden, std::string(id) + " is " + std::string(Text(keys->state)));
  }
  return Admission{keys->pin != spki};
}

Status Contact(sql::Tx& tx, std::string_view id, const Digest& spki) {
  PAWL_TRY(Admit(tx, id, spki));
  PAWL_ASSIGN(const auto promoted,
              tx.Execute("UPDATE devices SET pin = next_pin, certificate = next_certificate, "
                         "certificate_expires_ms = next_certificate_expires_ms, next_pin = NULL, "
                         "next_certificate = NULL, next_certificate_expires_ms = NULL WHERE id = ? AND next_pin = ?",
                         {id, spki}));
  if (promoted != 0) PAWL_TRY(RaiseRegistryGeneration(tx));
  PAWL_ASSIGN(const auto keys, FindKeys(tx, id));
  if (keys->state != DeviceState::kClaimed) return {};
  return SetDeviceState(tx, {"device " + std::string(id)}, id, DeviceState::kActive, EventKind::kDeviceActive, "");
}

}  // namespace pawl::data
