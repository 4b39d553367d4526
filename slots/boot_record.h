// The boot record: which slot is confirmed, which is pending, what is owed. Its 128-byte cell and the transitions that
// firmware may make. Freestanding, pure. Compiled into bootloader and agent alike.
//
// Format  docs/spec/boot.md, "Cell". Source of the transitions: the same page, rows F1..F6.
#pragma once

#include <cstddef>
#include <type_traits>

#include "base/result.h"
#include "slots/record_words.h"

namespace pawl {

inline constexpr std::uint8_t kMaxAttempts = 3;
inline constexpr std::uint8_t kMaxPower = 8;
inline constexpr std::size_t kRecordCellBytes = 128;
inline constexpr std::size_t kRecordDetailBytes = RecordText::kCapacity;

// Lies in memory as its cell does on flash, so that reading and writing one is a copy, and in RAM too the words are far
// apart. All but `crc` holds at any time.
struct BootRecord {
  BootRecord();  // confirmed A, nothing proven, pending or owed; zero otherwise

  std::uint32_t magic;     // "PWR1"
  std::uint32_t sequence;  // the store's business
  RecordSlot confirmed;
  RecordFlag proven;  // confirmed by its own self-test
  RecordPending pending;
  RecordFlag started;  // at least one attempt was made
  std::uint8_t attempts_left;
  std::uint8_t power_attempts_left;
  Reason reason;        // of the last trial
  std::uint32_t trial;  // +1 per F1, never reset
  std::uint64_t job;    // of that trial
  RecordFlag owed;      // the rollback of that trial is not yet acknowledged
  Reason emergency_reason;
  std::uint16_t emergency_count;
  std::uint32_t floor;  // lowest security version that may boot
  std::array<std::uint32_t, 3> reserved;
  Digest trial_digest;  // SUIT_Digest of the trial's manifest
  RecordText detail;    // the failing test
  std::uint32_t crc;    // over all before it; only of a sealed record

  // Whether both say the same, sealed or not.
  friend bool operator==(const BootRecord& a, const BootRecord& b) {
    return std::memcmp(&a, &b, offsetof(BootRecord, crc)) == 0;
  }
};
// docs/spec/boot.md, "Cell". Nothing lies between the fields, so to compare and to check bytes is to compare and to
// check fields.
static_assert(std::endian::native == std::endian::little, "the record in memory is the cell on flash");
static_assert(sizeof(BootRecord) == kRecordCellBytes && std::is_standard_layout_v<BootRecord> &&
              std::is_trivially_copyable_v<BootRecord> && std::has_unique_object_representations_v<BootRecord>);
static_assert(offsetof(BootRecord, sequence) == 4 && offsetof(BootRecord, confirmed) == 8 &&
              offsetof(BootRecord, proven) == 12 && offsetof(BootRecord, pending) == 16 &&
              offsetof(BootRecord, started) == 20 && offsetof(BootRecord, attempts_left) == 24 &&
              offsetof(BootRecord, power_attempts_left) == 25 && offsetof(BootRecord, reason) == 26 &&
              offsetof(BootRecord, trial) == 28 && offsetof(BootRecord, job) == 32 &&
              offsetof(BootRecord, owed) == 40 && offsetof(BootRecord, emergency_reason) == 44 &&
              offsetof(BootRecord, emergency_count) == 46 && offsetof(BootRecord, floor) == 48 &&
              offsetof(BootRecord, reserved) == 52 && offsetof(BootRecord, trial_digest) == 64 &&
              offsetof(BootRecord, detail) == 96 && offsetof(BootRecord, crc) == 124);

// A sealed record's bytes are a cell. Lifetime: the record's.
inline ByteView BytesOf(const BootRecord& record) {
  return {reinterpret_cast<const std::uint8_t*>(&record), kRecordCellBytes};
}
inline MutableBytes BytesOf(BootRecord& record) { return {reinterpret_cast<std::uint8_t*>(&record), kRecordCellBytes}; }
// Makes a record that holds fit to be written.
void Seal(BootRecord& record);
// Whether the bytes that were read into `record` are a cell. Errors: corrupt (magic, CRC, a word that is no codeword,
// reserved bytes, detail), unsupported version ("PWR" and another digit).
Status CheckRecord(const BootRecord& record);

// The same as copies, for all that does not count its bytes.
using RecordCell = std::array<std::uint8_t, kRecordCellBytes>;
RecordCell EncodeRecord(const BootRecord& record);
// Errors: those of CheckRecord; corrupt (another size than a cell's).
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
