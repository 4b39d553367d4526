#include "tests/powercut/planted_store.h"

#include "slots/record_store.h"

namespace pawl {
namespace {

constexpr std::uint32_t kSectors = 2;
// These bytes of a cell are firm before the rest is begun (S2), so a cell that reads blank after a cut can never read
// valid later. A multiple of every common flash's program unit.
constexpr std::size_t kHeadBytes = 16;
constexpr FlashOffset kCell = kRecordCellBytes;

powercut::StoreDesign design;

bool AllBytesAre(const BootRecord& cell, std::uint8_t value) {
  return std::ranges::all_of(BytesOf(cell), [value](std::uint8_t byte) { return byte == value; });
}

// Serial number arithmetic (RFC 1982): the order survives a wrap.
bool Later(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) > 0; }

// Of one number, what stands twice wins: a single cell was never acted on.
bool Newer(const BootRecord& record, bool twice, const BootRecord& than, bool than_twice) {
  return Later(record.sequence, than.sequence) || (record.sequence == than.sequence && (twice || !than_twice));
}

}  // namespace

void powercut::UseStoreDesign(const StoreDesign& chosen) { design = chosen; }

RecordStore::RecordStore(Flash& flash) : flash_(flash), sector_bytes_(flash.sector_bytes()) {
  PAWL_ASSERT(sector_bytes_ % kCell == 0 && sector_bytes_ >= kRecordCellsMin * kCell);
  PAWL_ASSERT(flash.bytes() == kSectors * sector_bytes_);
}

bool RecordStore::ProgramAndCompare(FlashOffset offset, ByteView bytes) {
  RecordCell found;
  return flash_.Program(offset, bytes) && flash_.Flush() &&
         flash_.Read(offset, MutableBytes(found).first(bytes.size())) &&
         std::memcmp(found.data(), bytes.data(), bytes.size()) == 0;
}

// What the cell says. One that cannot be read is doubtful, whatever the attempt left: no cell, not blank, not dead.
BootRecord RecordStore::ReadCell(FlashOffset cell) {
  BootRecord record;
  if (!flash_.Read(cell, BytesOf(record))) record.magic = 1;
  return record;
}

bool RecordStore::Kill(FlashOffset cell) {
  const RecordCell dead{};
  return ProgramAndCompare(cell, dead);
}

// Each cell is read once: what a marginal cell said is what counts.
RecordStore::Scan RecordStore::ScanCells(RecordState& found, bool kill_doubtful) {
  Scan scan;
  found = {};
  BootRecord previous;
  for (FlashOffset at = 0; at < kSectors * sector_bytes_; at += kCell) {
    const BootRecord cell = ReadCell(at);
    if (!AllBytesAre(cell, 0xFF)) {
      const bool dead = AllBytesAre(cell, 0);
      scan.sectors[at < sector_bytes_ ? 0 : 1] = {at + kCell, dead};
      if (found.kind == RecordKind::kBlank) found.kind = RecordKind::kLost;
      if (CheckRecord(cell)) {
        const bool twice = at != sector_bytes_ && std::memcmp(&cell, &previous, sizeof(cell)) == 0;
        if (found.kind != RecordKind::kValid || Newer(cell, twice, found.record, scan.twice)) {
          found.kind = RecordKind::kValid;
          found.record = cell;
          scan.newest = at;
          scan.twice = twice;
        }
      } else if (kill_doubtful && !dead) {
        static_cast<void>(Kill(at));  // S3. One that resists stays as it is: it does not decode.
      }
    }
    previous = cell;
  }
  return scan;
}

RecordState RecordStore::Peek() {
  RecordState found;
  ScanCells(found, false);
  return found;
}

// S4. What was cut last may read blank, or dead, and otherwise later; a record on top of it would never be sure.
inline bool RecordStore::KillGuards() {
  for (; guards_ > 0; --guards_) {
    if (!Kill(next_ - guards_ * kCell)) return false;
  }
  return true;
}

// S1. False: the cell is bad.
inline bool RecordStore::WriteCell(const BootRecord& sealed) {
  if (!AllBytesAre(ReadCell(next_), 0xFF)) return false;
  const ByteView bytes = BytesOf(sealed);
  if (!design.head_first) return ProgramAndCompare(next_, bytes);
  return ProgramAndCompare(next_, bytes.first(kHeadBytes)) &&
         ProgramAndCompare(next_ + kHeadBytes, bytes.subspan(kHeadBytes));
}

// S5, S6
inline Status RecordStore::MakeRoom() {
  if (state_.kind == RecordKind::kValid) {
    end_ = newest_ < sector_bytes_ ? kSectors * sector_bytes_ : sector_bytes_;
    if (design.firm && !ProgramAndCompare(newest_, BytesOf(state_.record))) {
      return Fail(Reason::kIo, "the newest boot record cannot be programmed again, so no room can be made");
    }
  }
  next_ = end_ - sector_bytes_;
  guards_ = 0;
  PAWL_TRY(flash_.Erase(next_ / sector_bytes_));
  return flash_.Flush();
}

// S2. Two good cells side by side, written without a cut between them.
Status RecordStore::WriteTwice(const BootRecord& sealed) {
  bool erased = false;
  const std::uint32_t wanted = design.twice ? 2 : 1;
  std::uint32_t copies = 0;
  while (copies < wanted) {
    if (copies == 0 && next_ + wanted * kCell > end_) {
      if (erased) return Fail(Reason::kIo, "the boot record's flash is worn out or cannot be written");
      PAWL_TRY(MakeRoom());
      erased = true;
    }
    const bool good = KillGuards() && WriteCell(sealed);
    copies = good ? copies + 1 : 0;
    guards_ = !good && design.kill ? 1 : 0;
    next_ += kCell;
  }
  newest_ = next_ - kCell;
  return {};
}

const RecordState& RecordStore::Load() {
  const Scan scan = ScanCells(state_, design.kill);
  usable_ = {};
  if (state_.kind != RecordKind::kValid) {
    // What shows that a record was lost must outlive a cut during the first commit, so a blank sector is used first.
    const bool second = scan.sectors[0].end != 0 && scan.sectors[1].end == 0;
    next_ = end_ = second ? kSectors * sector_bytes_ : sector_bytes_;
    return state_;
  }
  const std::size_t index = scan.newest < sector_bytes_ ? 0 : 1;
  newest_ = scan.newest;
  end_ = (index + 1) * sector_bytes_;
  next_ = scan.sectors[index].end + (design.guard ? kCell : 0);
  guards_ = !design.guard ? 0 : scan.sectors[index].ends_dead && design.kill_again ? 2 : 1;
  if (design.twice && !scan.twice) usable_ = WriteTwice(state_.record);
  return state_;
}

Status RecordStore::Commit(const BootRecord& next) {
  PAWL_TRY(usable_);
  BootRecord record = next;
  record.sequence = state_.kind == RecordKind::kValid ? state_.record.sequence + 1 : 1;
  Seal(record);
  PAWL_ASSERT(CheckRecord(record).has_value());  // as every later Load sees it
  usable_ = WriteTwice(record);
  PAWL_TRY(usable_);
  state_.kind = RecordKind::kValid;
  state_.record = record;
  return {};
}

}  // namespace pawl
