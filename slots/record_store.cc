#include "slots/record_store.h"

namespace pawl {
namespace {

constexpr std::uint32_t kSectors = 2;
// These bytes of a cell are firm before the rest is begun (S2), so a cell that reads blank after a cut can never read
// valid later. A multiple of every common flash's program unit.
constexpr std::size_t kHeadBytes = 16;

bool AllBytesAre(const RecordCell& cell, std::uint8_t value) {
  return std::ranges::all_of(cell, [value](std::uint8_t byte) { return byte == value; });
}

// Serial number arithmetic (RFC 1982): the order survives a wrap.
bool Later(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) > 0; }

}  // namespace

RecordStore::RecordStore(Flash& flash) : flash_(flash) {
  PAWL_ASSERT(flash.sector_bytes() % kRecordCellBytes == 0 && cells() >= kRecordCellsMin);
  PAWL_ASSERT(flash.bytes() == std::uint64_t{kSectors} * flash.sector_bytes());
}

std::uint64_t RecordStore::OffsetOf(const Place& place) const {
  return std::uint64_t{place.sector} * flash_.sector_bytes() + std::uint64_t{place.cell} * kRecordCellBytes;
}

bool RecordStore::Newer(const Found& found, const std::optional<Found>& than) {
  if (!than || Later(found.record.sequence, than->record.sequence)) return true;
  // Of one number, what stands twice wins: a single cell was never acted on.
  return found.record.sequence == than->record.sequence && (found.twice || !than->twice);
}

// Each cell is read once: what a marginal cell said is what counts.
RecordStore::Scan RecordStore::ScanCells(bool kill_doubtful) {
  Scan scan;
  for (std::uint32_t sector = 0; sector < kSectors; ++sector) {
    RecordCell previous{};
    for (std::uint32_t i = 0; i < cells(); ++i) {
      const Place place{sector, i};
      RecordCell cell{};
      const bool readable = flash_.Read(OffsetOf(place), cell).has_value();
      const bool blank = readable && AllBytesAre(cell, 0xFF);
      const bool dead = readable && AllBytesAre(cell, 0);
      if (!blank) {
        scan.used[sector] = i + 1;
        scan.ends_dead[sector] = dead;
      }
      if (const auto record = DecodeRecord(cell); readable && record) {
        const Found found{*record, place, cell == previous};
        if (Newer(found, scan.newest)) scan.newest = found;
      } else if (kill_doubtful && !blank && !dead) {
        static_cast<void>(Kill(place));  // S3. One that resists stays as it is: it does not decode.
      }
      previous = cell;
    }
  }
  return scan;
}

RecordState RecordStore::StateOf(const Scan& scan) {
  if (scan.newest) return {RecordKind::kValid, scan.newest->record};
  return {scan.all_blank() ? RecordKind::kBlank : RecordKind::kLost, {}};
}

RecordState RecordStore::Peek() { return StateOf(ScanCells(false)); }

const RecordState& RecordStore::Load() {
  const Scan scan = ScanCells(true);
  usable_ = {};
  state_ = StateOf(scan);
  newest_ = std::nullopt;
  if (!scan.newest) {
    // What shows that a record was lost must outlive a cut during the first commit, so a blank sector is used first.
    next_ = {.sector = scan.used[0] != 0 && scan.used[1] == 0 ? 1U : 0U, .cell = cells()};
    return state_;
  }
  newest_ = scan.newest->place;
  next_ = {.sector = newest_->sector, .cell = scan.used[newest_->sector] + 1};
  guards_ = scan.ends_dead[newest_->sector] ? 2 : 1;
  if (!scan.newest->twice) usable_ = WriteTwice(EncodeRecord(state_.record));
  return state_;
}

Status RecordStore::Commit(const BootRecord& next) {
  PAWL_TRY(usable_);
  BootRecord record = next;
  record.sequence = state_.kind == RecordKind::kValid ? state_.record.sequence + 1 : 1;
  const RecordCell cell = EncodeRecord(record);
  usable_ = WriteTwice(cell);
  PAWL_TRY(usable_);
  const auto stored = DecodeRecord(cell);  // as every later Load sees it
  PAWL_ASSERT(stored.has_value());
  state_ = {RecordKind::kValid, *stored};
  return {};
}

// S4. What was cut last may read blank, or dead, and otherwise later; a record on top of it would never be sure.
bool RecordStore::KillGuards() {
  for (; guards_ > 0; --guards_) {
    if (!Kill({next_.sector, next_.cell - guards_})) return false;
  }
  return true;
}

// S2. Two good cells side by side, written without a cut between them.
Status RecordStore::WriteTwice(const RecordCell& cell) {
  bool erased = false;
  int copies = 0;
  while (copies < 2) {
    if (copies == 0 && next_.cell + 2 > cells()) {
      if (erased) return Fail(Reason::kIo, "the boot record's flash is worn out or cannot be written");
      PAWL_TRY(MakeRoom());
      erased = true;
    }
    const bool good = KillGuards() && WriteCell(cell);
    copies = good ? copies + 1 : 0;
    guards_ = good ? 0 : 1;  // what went wrong there is killed before the next is written
    ++next_.cell;
  }
  newest_ = {.sector = next_.sector, .cell = next_.cell - 1};
  return {};
}

// S5, S6
Status RecordStore::MakeRoom() {
  if (newest_) {
    next_.sector = 1 - newest_->sector;
    if (!ProgramAndCompare(OffsetOf(*newest_), EncodeRecord(state_.record))) {
      return Fail(Reason::kIo, "the newest boot record cannot be programmed again, so no room can be made");
    }
  }
  next_.cell = 0;
  guards_ = 0;
  PAWL_TRY(flash_.Erase(next_.sector));
  return flash_.Flush();
}

// S1. False: the cell is bad.
bool RecordStore::WriteCell(const RecordCell& cell) {
  const std::uint64_t offset = OffsetOf(next_);
  RecordCell found{};
  if (!flash_.Read(offset, found) || !AllBytesAre(found, 0xFF)) return false;
  const ByteView bytes = cell;
  return ProgramAndCompare(offset, bytes.first(kHeadBytes)) &&
         ProgramAndCompare(offset + kHeadBytes, bytes.subspan(kHeadBytes));
}

bool RecordStore::Kill(const Place& place) {
  constexpr RecordCell kDead{};
  return ProgramAndCompare(OffsetOf(place), kDead);
}

bool RecordStore::ProgramAndCompare(std::uint64_t offset, ByteView bytes) {
  RecordCell buffer{};
  const MutableBytes found = MutableBytes(buffer).first(bytes.size());
  return flash_.Program(offset, bytes) && flash_.Flush() && flash_.Read(offset, found) && Equal(found, bytes);
}

}  // namespace pawl
