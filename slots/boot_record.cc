#include "slots/boot_record.h"

#include "base/text.h"

namespace pawl {
namespace {

// Words of RM(1,5): at least 16 of 32 bits apart from each other, from all-zero and from all-one, so neither a few
// flipped bits nor an erased or killed cell turns one meaning into another.
constexpr std::uint32_t kWordA = 0x5A5A5A5A;
constexpr std::uint32_t kWordB = 0xA5A5A5A5;
constexpr std::uint32_t kWordNone = 0x3C3C3C3C;
constexpr std::uint32_t kWordYes = 0x66666666;
constexpr std::uint32_t kWordNo = 0x99999999;

constexpr std::string_view kMagic = "PWR1";

// Offsets in the cell (docs/spec/boot.md, "Cell").
constexpr std::size_t kSequenceAt = 4;
constexpr std::size_t kConfirmedAt = 8;
constexpr std::size_t kProvenAt = 12;
constexpr std::size_t kPendingAt = 16;
constexpr std::size_t kStartedAt = 20;
constexpr std::size_t kAttemptsAt = 24;
constexpr std::size_t kPowerAttemptsAt = 25;
constexpr std::size_t kReasonAt = 26;
constexpr std::size_t kTrialAt = 28;
constexpr std::size_t kJobAt = 32;
constexpr std::size_t kOwedAt = 40;
constexpr std::size_t kEmergencyReasonAt = 44;
constexpr std::size_t kEmergencyCountAt = 46;
constexpr std::size_t kFloorAt = 48;
constexpr std::size_t kReservedAt = 52;
constexpr std::size_t kDigestAt = 64;
constexpr std::size_t kDetailAt = 96;
constexpr std::size_t kCrcAt = 124;
static_assert(kDetailAt + kRecordDetailBytes == kCrcAt);

constexpr std::uint32_t WordOf(bool value) { return value ? kWordYes : kWordNo; }
constexpr std::uint32_t WordOf(std::optional<Slot> slot) {
  if (!slot) return kWordNone;
  return *slot == Slot::kA ? kWordA : kWordB;
}
constexpr bool Printable(std::uint8_t c) { return c >= 0x20 && c < 0x7F; }

template <class T>
void Put(RecordCell& cell, std::size_t at, T value) {
  StoreLe<T>(MutableBytes(cell).subspan(at, sizeof(T)), value);
}

// Reads fields and remembers whether all words were codewords.
class CellReader {
 public:
  explicit CellReader(ByteView cell) : cell_(cell) {}
  bool ok() const { return ok_; }

  template <class T>
  T Number(std::size_t at) const {
    return LoadLe<T>(cell_.subspan(at, sizeof(T)));
  }
  bool YesNo(std::size_t at) {
    const auto word = Number<std::uint32_t>(at);
    ok_ = ok_ && (word == kWordYes || word == kWordNo);
    return word == kWordYes;
  }
  std::optional<Slot> SlotOrNone(std::size_t at) {
    const auto word = Number<std::uint32_t>(at);
    if (word == kWordA) return Slot::kA;
    if (word == kWordB) return Slot::kB;
    ok_ = ok_ && word == kWordNone;
    return std::nullopt;
  }
  Slot OneSlot(std::size_t at) {
    const auto slot = SlotOrNone(at);
    ok_ = ok_ && slot.has_value();
    return slot.value_or(Slot::kA);
  }
  BoundedText<kRecordDetailBytes> Detail() {
    const ByteView bytes = cell_.subspan(kDetailAt, kRecordDetailBytes);
    std::size_t size = 0;
    while (size < bytes.size() && Printable(bytes[size])) ++size;
    for (const std::uint8_t rest : bytes.subspan(size)) ok_ = ok_ && rest == 0xFF;
    return AsText(bytes.first(size));
  }

 private:
  ByteView cell_;
  bool ok_ = true;
};

std::unexpected<Error> NotAllowed(std::string_view rule) { return Fail(Reason::kNotAllowed, rule); }

}  // namespace

RecordCell EncodeRecord(const BootRecord& record) {
  RecordCell cell;
  cell.fill(0xFF);
  std::ranges::copy(kMagic, cell.begin());
  Put(cell, kSequenceAt, record.sequence);
  Put(cell, kConfirmedAt, WordOf(std::optional(record.confirmed)));
  Put(cell, kProvenAt, WordOf(record.proven));
  Put(cell, kPendingAt, WordOf(record.pending));
  Put(cell, kStartedAt, WordOf(record.started));
  Put(cell, kAttemptsAt, record.attempts_left);
  Put(cell, kPowerAttemptsAt, record.power_attempts_left);
  Put(cell, kReasonAt, static_cast<std::uint16_t>(record.reason));
  Put(cell, kTrialAt, record.trial);
  Put(cell, kJobAt, record.job);
  Put(cell, kOwedAt, WordOf(record.owed));
  Put(cell, kEmergencyReasonAt, static_cast<std::uint16_t>(record.emergency_reason));
  Put(cell, kEmergencyCountAt, record.emergency_count);
  Put(cell, kFloorAt, record.floor);
  std::ranges::copy(record.trial_digest, cell.begin() + kDigestAt);
  std::size_t at = kDetailAt;
  for (const char c : record.detail.view()) {
    const auto byte = static_cast<std::uint8_t>(c);
    cell[at++] = Printable(byte) ? byte : std::uint8_t{'?'};
  }
  Put(cell, kCrcAt, Crc32(ByteView(cell).first(kCrcAt)));
  return cell;
}

Result<BootRecord> DecodeRecord(ByteView cell) {
  if (cell.size() != kRecordCellBytes) return Fail(Reason::kCorrupt, "a boot record cell has 128 bytes");
  if (!Equal(cell.first(3), AsBytes(kMagic).first(3))) return Fail(Reason::kCorrupt, "boot record: magic");
  if (LoadLe<std::uint32_t>(cell.subspan(kCrcAt, 4)) != Crc32(cell.first(kCrcAt))) {
    return Fail(Reason::kCorrupt, "boot record: CRC");
  }
  if (cell[3] != static_cast<std::uint8_t>(kMagic[3])) {
    return Fail(Reason::kUnsupportedVersion, "boot record: written by another version than 1");
  }
  CellReader reader(cell);
  BootRecord record;
  record.sequence = reader.Number<std::uint32_t>(kSequenceAt);
  record.confirmed = reader.OneSlot(kConfirmedAt);
  record.proven = reader.YesNo(kProvenAt);
  record.pending = reader.SlotOrNone(kPendingAt);
  record.started = reader.YesNo(kStartedAt);
  record.attempts_left = reader.Number<std::uint8_t>(kAttemptsAt);
  record.power_attempts_left = reader.Number<std::uint8_t>(kPowerAttemptsAt);
  record.reason = static_cast<Reason>(reader.Number<std::uint16_t>(kReasonAt));
  record.trial = reader.Number<std::uint32_t>(kTrialAt);
  record.job = reader.Number<std::uint64_t>(kJobAt);
  record.owed = reader.YesNo(kOwedAt);
  record.emergency_reason = static_cast<Reason>(reader.Number<std::uint16_t>(kEmergencyReasonAt));
  record.emergency_count = reader.Number<std::uint16_t>(kEmergencyCountAt);
  record.floor = reader.Number<std::uint32_t>(kFloorAt);
  std::ranges::copy(cell.subspan(kDigestAt, record.trial_digest.size()), record.trial_digest.begin());
  record.detail = reader.Detail();
  bool reserved_blank = true;
  for (const std::uint8_t byte : cell.subspan(kReservedAt, kDigestAt - kReservedAt)) {
    reserved_blank = reserved_blank && byte == 0xFF;
  }
  if (!reader.ok() || !reserved_blank) return Fail(Reason::kCorrupt, "boot record: a field has no valid value");
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
  next.detail = {};
  for (const char c : detail) {
    const char printable = Printable(static_cast<std::uint8_t>(c)) ? c : '?';
    next.detail.append(std::string_view(&printable, 1));
  }
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
