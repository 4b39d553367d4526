// The boot record: which slot is confirmed, which is pending, what is owed. Its 128-byte cell and the transitions that
// firmware may make. Freestanding, pure. Compiled into bootloader and agent alike.
//
// Format  docs/spec/boot.md, "Cell". Source of the transitions: the same page, rows F1..F6.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/result.h"

namespace pawl {

enum class Slot : std::uint8_t { kA, kB };
constexpr Slot Other(Slot slot) { return slot == Slot::kA ? Slot::kB : Slot::kA; }
constexpr std::string_view Text(Slot slot) { return slot == Slot::kA ? "A" : "B"; }

inline constexpr std::uint8_t kMaxAttempts = 3;
inline constexpr std::uint8_t kMaxPower = 8;
inline constexpr std::size_t kRecordCellBytes = 128;
inline constexpr std::size_t kRecordDetailBytes = 28;

struct BootRecord {
  std::uint32_t sequence = 0;
  Slot confirmed = Slot::kA;
  bool proven = false;  // confirmed by its own self-test
  std::optional<Slot> pending;
  bool started = false;  // at least one attempt was made
  std::uint8_t attempts_left = 0;
  std::uint8_t power_attempts_left = 0;
  Reason reason = Reason::kNone;  // of the last trial
  std::uint32_t trial = 0;        // +1 per F1, never reset
  std::uint64_t job = 0;          // of that trial
  bool owed = false;              // the rollback of that trial is not yet acknowledged
  Reason emergency_reason = Reason::kNone;
  std::uint16_t emergency_count = 0;
  std::uint32_t floor = 0;                 // lowest security version that may boot
  Digest trial_digest{};                   // SUIT_Digest of the trial's manifest
  BoundedText<kRecordDetailBytes> detail;  // printable ASCII: the failing test

  friend bool operator==(const BootRecord&, const BootRecord&) = default;
};

using RecordCell = std::array<std::uint8_t, kRecordCellBytes>;
RecordCell EncodeRecord(const BootRecord& record);
// Errors: corrupt (magic, CRC, a word that is no codeword, reserved bytes), unsupported version ("PWR" and another
// digit).
Result<BootRecord> DecodeRecord(ByteView cell);

// --- What firmware may change. Each returns the record to commit, or `transition not allowed` with the rule broken.
// ---

// `running` is the slot of the hand-off, never a guess from the record.
struct PendingRequest {
  Slot slot;  // the one that was staged and verified by read-back
  std::uint64_t job;
  Digest manifest_digest;
};
Result<BootRecord> SetPending(const BootRecord& record, Slot running, const PendingRequest& request);          // F1
Result<BootRecord> Confirm(const BootRecord& record, Slot running);                                            // F2
Result<BootRecord> FailTrial(const BootRecord& record, Slot running, Reason reason, std::string_view detail);  // F3
Result<BootRecord> SettleRollback(const BootRecord& record, std::uint32_t trial, std::uint64_t job);           // F4
Result<BootRecord> SettleEmergency(const BootRecord& record, std::uint16_t count);                             // F5
Result<BootRecord> RaiseFloor(const BootRecord& record, Slot running, std::uint32_t value,
                              std::uint32_t running_sv);  // F6
// Whether slot `slot` may be written now (rule "write slot s").
bool MayWriteSlot(const BootRecord& record, Slot running, Slot slot);

}  // namespace pawl
