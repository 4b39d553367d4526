#include "slots/boot_record.h"

#include "base/text.h"

namespace pawl {
namespace {

constexpr std::uint32_t kMagicWord = 0x31525750;  // "PWR1", little endian: its last byte, the version, is the highest
constexpr std::uint32_t kBlankWord = 0xFFFFFFFF;

std::uint32_t CrcOf(const BootRecord& record) { return Crc32(BytesOf(record).first(offsetof(BootRecord, crc))); }

std::unexpected<Error> NotAllowed(std::string_view rule) { return Fail(Reason::kNotAllowed, rule); }

}  // namespace

RecordText& RecordText::append(std::string_view text) {
  std::size_t at = size();
  for (const char c : text) {
    if (at == bytes_.size()) break;
    const auto byte = static_cast<std::uint8_t>(c);
    bytes_[at++] = Printable(byte) ? byte : std::uint8_t{'?'};
  }
  return *this;
}

RecordText& RecordText::assign(std::string_view text) {
  clear();
  return append(text);
}

// All before the padding at the end is printable.
bool RecordText::valid() const {
  std::size_t left = bytes_.size();
  while (left > 0 && bytes_[left - 1] == kPadding) --left;
  while (left > 0 && Printable(bytes_[left - 1])) --left;
  return left == 0;
}

BootRecord::BootRecord() {
  std::memset(static_cast<void*>(this), 0, offsetof(BootRecord, detail));  // smaller than a store for each
  magic = kMagicWord;
  confirmed = Slot::kA;
  proven = started = owed = false;
  pending = std::nullopt;
  reserved.fill(kBlankWord);
  crc = 0;
}

void Seal(BootRecord& record) { record.crc = CrcOf(record); }

Status CheckRecord(const BootRecord& record) {
  if (record.magic << 8 != kMagicWord << 8) return Fail(Reason::kCorrupt, "boot record: magic");
  if (record.crc != CrcOf(record)) return Fail(Reason::kCorrupt, "boot record: CRC");
  if (record.magic != kMagicWord) {
    return Fail(Reason::kUnsupportedVersion, "boot record: written by another version than 1");
  }
  const bool words = record.confirmed.valid() && record.proven.valid() && record.pending.valid() &&
                     record.started.valid() && record.owed.valid();
  const bool reserved = (record.reserved[0] & record.reserved[1] & record.reserved[2]) == kBlankWord;
  if (!words || !reserved || !record.detail.valid()) {
    return Fail(Reason::kCorrupt, "boot record: a field has no valid value");
  }
  return {};
}

RecordCell EncodeRecord(const BootRecord& record) {
  BootRecord sealed = record;
  Seal(sealed);
  return std::bit_cast<RecordCell>(sealed);
}

Result<BootRecord> DecodeRecord(ByteView cell) {
  if (cell.size() != kRecordCellBytes) return Fail(Reason::kCorrupt, "a boot record cell has 128 bytes");
  BootRecord record;
  std::ranges::copy(cell, BytesOf(record).begin());
  PAWL_TRY(CheckRecord(record));
  return record;
}

// F1
Result<BootRecord> SetPending(const BootRecord& record, Slot running, const PendingRequest& request) {
  if (running != record.confirmed) return NotAllowed("F1: the running slot is not the confirmed one");
  if (record.pending) return NotAllowed("F1: a slot is pending already");
  if (record.owed) return NotAllowed("F1: the last rollback is not acknowledged yet");
  if (request.slot != Other(record.confirmed)) return NotAllowed("F1: the confirmed slot cannot become pending");
  BootRecord next = record;
  next.pending = request.slot;
  next.started = false;
  next.attempts_left = kMaxAttempts;
  next.power_attempts_left = kMaxPower;
  next.reason = Reason::kNone;
  next.detail = {};
  next.trial = record.trial + 1;
  next.job = request.job;
  next.trial_digest = request.manifest_digest;
  return next;
}

// F2
Result<BootRecord> Confirm(const BootRecord& record, Slot running) {
  if (record.pending) {
    if (record.pending != running) return NotAllowed("F2: the running slot is not the pending one");
    if (!record.started) return NotAllowed("F2: the trial has not started");
    if (record.reason != Reason::kNone) return NotAllowed("F2: the trial has failed");
  } else {
    if (running != record.confirmed) return NotAllowed("F2: the running slot is neither pending nor confirmed");
    if (record.proven) return NotAllowed("F2: the running slot is confirmed already");
  }
  BootRecord next = record;
  next.confirmed = running;
  next.proven = true;
  next.pending = std::nullopt;
  return next;
}

// F3
Result<BootRecord> FailTrial(const BootRecord& record, Slot running, Reason reason, std::string_view detail) {
  if (!record.pending || *record.pending != running) return NotAllowed("F3: the running slot is not in a trial");
  if (record.reason != Reason::kNone) return NotAllowed("F3: the trial has failed already");
  if (reason == Reason::kNone) return NotAllowed("F3: a failed trial needs a reason");
  BootRecord next = record;
  next.reason = reason;
  next.detail = detail;
  return next;
}

// F4
Result<BootRecord> SettleRollback(const BootRecord& record, std::uint32_t trial, std::uint64_t job) {
  if (!record.owed) return NotAllowed("F4: no rollback is owed");
  if (record.trial != trial || record.job != job) return NotAllowed("F4: another trial's rollback is owed");
  BootRecord next = record;
  next.owed = false;
  return next;
}

// F5
Result<BootRecord> SettleEmergency(const BootRecord& record, std::uint16_t count) {
  if (record.emergency_reason == Reason::kNone) return NotAllowed("F5: no emergency is open");
  if (record.emergency_count != count) return NotAllowed("F5: there was another emergency since");
  BootRecord next = record;
  next.emergency_reason = Reason::kNone;
  return next;
}

// F6
Result<BootRecord> RaiseFloor(const BootRecord& record, Slot running, std::uint32_t value, std::uint32_t running_sv) {
  if (running != record.confirmed || !record.proven)
    return NotAllowed("F6: the running slot is not confirmed by itself");
  if (record.pending) return NotAllowed("F6: a slot is pending");
  if (value <= record.floor) return NotAllowed("F6: the floor only rises");
  if (value > running_sv) return NotAllowed("F6: the running image would fall below the floor");
  BootRecord next = record;
  next.floor = value;
  return next;
}

bool MayWriteSlot(const BootRecord& record, Slot running, Slot slot) {
  return slot != running && slot != record.confirmed && !record.pending;
}

}  // namespace pawl
