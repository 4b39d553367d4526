// The boot record on flash: two sectors of append-only, write-once cells. Freestanding, no heap.
//
// Why so careful: a power cut can leave *marginal* bits, which read differently on each later read. So a cell that was
// being written at the cut proves nothing, whether it reads valid, invalid or blank now.
//
// Invariants (docs/spec/boot.md, "Storage", rules S1..S7)
//   - A cell that reads blank never turns valid by itself: its head is programmed and read back before the rest.
//   - A state is acted on (Load or Commit returned it) only if it stands twice side by side; the first of the two was
//     then complete before the second was begun.
//   - Before one sector is erased, the newest cell in the other is programmed once more, so it has no marginal bits.
// Threads  one at a time. Bootloader and firmware never run at once, so neither needs a lock.
#pragma once

#include "slots/boot_record.h"
#include "slots/flash.h"

namespace pawl {

enum class RecordKind : std::uint8_t {
  kValid,  // `record` holds
  kLost,   // no valid cell, yet something is not FF (or cannot be read)
  kBlank,  // all FF: a new device
};

struct RecordState {
  RecordKind kind = RecordKind::kBlank;
  BootRecord record;  // only if valid

  friend bool operator==(const RecordState&, const RecordState&) = default;
};

inline constexpr std::size_t kRecordCellsMin = 8;  // a sector's fewest cells

class RecordStore {
 public:
  // Preconditions: two sectors, each a multiple of kRecordCellBytes and at least kRecordCellsMin cells. Lifetime: keeps
  // `flash`.
  explicit RecordStore(Flash& flash);

  // Reads the newest state and makes it sure: kills doubtful cells, writes a single newest twice. To be called once,
  // before anything is acted on. Total: what cannot be read counts as lost; what cannot be repaired is still returned,
  // and then Commit refuses.
  const RecordState& Load();

  // The newest state as it stands, writing nothing: for looking in while somebody else owns the record.
  RecordState Peek();

  // Writes `next` with the next sequence number. When it returns, the state is sure and durable; on an error the old
  // or the new state is found at the next Load, never anything else. Precondition: Load was called.
  // Errors: i/o error (flash worn out, or Load could not repair).
  Status Commit(const BootRecord& next);

  const RecordState& state() const { return state_; }

 private:
  struct Sector {
    FlashOffset end = 0;     // of the last cell that is not blank; 0: all are
    bool ends_dead = false;  // that cell reads all zero
  };
  // What every cell said, beside the newest state.
  struct Scan {
    std::array<Sector, 2> sectors;
    FlashOffset newest = 0;  // the newest state's cell, if there is one
    bool twice = false;      // the cell before it is the same
  };
  Scan ScanCells(RecordState& found, bool kill_doubtful);
  BootRecord ReadCell(FlashOffset cell);
  bool Kill(FlashOffset cell);
  bool KillGuards();
  Status WriteTwice(const BootRecord& sealed);
  bool WriteCell(const BootRecord& sealed);
  bool ProgramAndCompare(FlashOffset offset, ByteView bytes);
  Status MakeRoom();

  Flash& flash_;
  FlashOffset sector_bytes_;
  Status usable_ = Fail(Reason::kInvalidArgument, "the boot record was not loaded");  // why Commit refuses, if it does
  FlashOffset newest_ = 0;    // cell of `state_`, if it is valid
  FlashOffset next_ = 0;      // where the next cell goes
  FlashOffset end_ = 0;       // of the sector in which that lies
  std::uint32_t guards_ = 0;  // so many cells before that must be killed first
  RecordState state_;
};

}  // namespace pawl
