// The registry: devices, their states, claims and pinned keys.
//
// State transitions are one table (devices.cc, docs/spec/protocol.md). Each change that a broker or HTTPS must see
// raises the registry's generation in the same transaction: who serves a view of the registry compares it after each
// commit.
#pragma once

#include "platform/io/data/common.h"
#include "wire/messages.h"

namespace pawl::data {

enum class DeviceState : std::uint8_t { kClaimed, kActive, kSuspended, kQuarantined, kDecommissioned };
std::string_view Text(DeviceState state);
Result<DeviceState> ParseDeviceState(std::string_view text);

inline constexpr std::int64_t kClaimLifeS = 72 * 3600;

struct Device {
  std::string id;
  std::string class_name;
  DeviceState state = DeviceState::kClaimed;
  std::string state_reason;
  std::uint64_t board_revision = 0;
  std::vector<wire::Attribute> attributes;  // the operator's, and the device's own where the operator gave none
  bool connected = false;
  std::optional<std::int64_t> last_seen_ms;
  std::int64_t created_ms = 0;

  std::optional<Digest> pin;       // SHA-256 of the SubjectPublicKeyInfo
  std::optional<Digest> next_pin;  // of a renewed certificate that has not connected yet
  std::optional<std::int64_t> certificate_expires_ms;
  std::optional<std::int64_t> claim_expires_ms;

  // As the device last told. Empty or zero before its first hello.
  std::optional<wire::State> told;
  std::string agent;
  std::uint32_t floor = 0;
  std::uint64_t slot_bytes = 0;
  std::uint32_t watchdog_s = 0;
  std::vector<std::string> encodings;
  std::vector<KeyId> keys;
  std::string via;  // the gateway that speaks for it; empty: it speaks for itself
};

struct DeviceSpec {
  std::string id;
  std::string class_name;
  std::uint64_t board_revision = 0;
  std::vector<wire::Attribute> attributes;
};
struct Claim {
  std::string token;  // 128 random bits, hex: shown once, stored as SHA-256
  std::int64_t expires_ms = 0;
};
struct ClaimedDevice {
  Device device;
  Claim claim;
};
// Errors: conflict (id taken), not found (class), invalid argument.
Result<ClaimedDevice> CreateDevice(sql::Tx& tx, const Actor& actor, const DeviceSpec& spec);
// A new claim for a claimed, suspended or quarantined device: it is claimed again, its pins are gone.
// Errors: not found; conflict (active: suspend it first; decommissioned).
Result<Claim> NewClaim(sql::Tx& tx, const Actor& actor, std::string_view id);

Result<Device> GetDevice(sql::Tx& tx, std::string_view id);  // errors: not found
struct DeviceFilter {
  std::optional<DeviceState> state = {};
  std::string class_name = {};                   // empty: any
  std::vector<wire::Attribute> attributes = {};  // all must match
  std::string id_glob = {};                      // * and ?; empty: any
  std::string via = {};                          // behind this gateway; empty: any
};
Result<Page<Device>> ListDevices(sql::Tx& tx, const DeviceFilter& filter, const PageRequest& page);
// Only the ids, all of them, sorted; without those that are quarantined or decommissioned.
Result<std::vector<std::string>> MatchDevices(sql::Tx& tx, const DeviceFilter& filter);

enum class DeviceAction : std::uint8_t { kSuspend, kActivate, kQuarantine, kDecommission };
std::string_view Text(DeviceAction action);
// Errors: not found; conflict, if the state does not allow it. The same state again is no error and no event.
// kActivate of a device that never had a key pinned makes it claimed.
Result<Device> ChangeDeviceState(sql::Tx& tx, const Actor& actor, std::string_view id, DeviceAction action,
                                 std::string_view reason);

// --- Enrolment and renewal, in two steps: the certificate is made between them, outside of any transaction. ---

// What to do with an enrolment request whose CSR proved possession of `spki`.
struct Enrolment {
  enum class Kind : std::uint8_t { kSign, kCertificate, kConflict } kind = Kind::kSign;
  std::string certificate;  // kCertificate: PEM, the same as before
};
// Binds the claim to the first key. kConflict: another key came with a valid token: the device is now quarantined, so
// this is a value and not an error, which would roll the quarantine back; answer claim conflict.
// Errors: unauthenticated (unknown device, wrong or expired token: not told apart), forbidden (its state).
Result<Enrolment> BeginEnrolment(sql::Tx& tx, std::string_view id, std::string_view token, const Digest& spki);
// Errors: conflict, if the claim is no longer bound to this key.
Status FinishEnrolment(sql::Tx& tx, std::string_view id, const Digest& spki, std::string_view certificate,
                       std::int64_t expires_ms);
// `presented`: the pinned key of the connection; `renewed`: the CSR's. The same again gives the same certificate.
// Errors: not found, forbidden (not pinned, not active).
Result<Enrolment> BeginRenewal(sql::Tx& tx, std::string_view id, const Digest& presented, const Digest& renewed);
Status FinishRenewal(sql::Tx& tx, std::string_view id, const Digest& renewed, std::string_view certificate,
                     std::int64_t expires_ms);

// --- Admission ---

// May a TLS peer with this key act as this device now? Pinned (current or next) and active, or claimed with the pin in
// place. Read-only. Errors: forbidden, with why. `needs_contact`: Contact must be written before it acts.
struct Admission {
  bool needs_contact = false;
};
Result<Admission> Admit(sql::Tx& tx, std::string_view id, const Digest& spki);
// The device was here with this key: claimed becomes active, a next pin becomes the current one.
Status Contact(sql::Tx& tx, std::string_view id, const Digest& spki);

// The registry as the broker's plugin needs it.
struct RegistryEntry {
  std::string id;
  DeviceState state{};
  bool admitted = false;  // active, or claimed with a pinned key (its first contact makes it active)
  std::vector<Digest> pins;
};
Result<std::uint64_t> RegistryGeneration(sql::Tx& tx);
Status EachRegistryEntry(sql::Tx& tx, const std::function<Status(const RegistryEntry&)>& each);

}  // namespace pawl::data
