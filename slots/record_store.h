// The boot record on flash: two sectors of append-only, write-once cells. Freestanding, no heap.
//
// Why so careful: a power cut can leave *marginal* bits, which read differently on each later read. So a cell that was
// being written at the cut proves nothing, whether it reads valid, invalid or blank now.
//
// Invariants (docs/spec/boot.md, "Storage", rules S1..S6)
//   - Two identical valid cells side by side: the first of them was programmed without a cut. Only such a pair is
//   solid.
//   - A state is acted on (Load or Commit returned it) only after it is solid.
//   - The sector that holds the newest solid state is never erased.
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

  // Reads the newest state and makes it solid: kills doubtful cells, writes a single newest twice. To be called once,
  // before anything is acted on. Total: what cannot be read counts as lost; what cannot be repaired is still returned,
  // and then Commit refuses.
  const RecordState& Load();

  // The newest state as it stands, writing nothing: for looking in while somebody else owns the record.
  RecordState Peek();

  // Writes `next` with the next sequence number. When it returns, the state is solid and durable; on an error the old
  // or the new state is found at the next Load, never anything else. Precondition: Load was called.
  // Errors: i/o error (flash worn out, or Load could not repair).
  Status Commit(const BootRecord& next);

  const RecordState& state() const { return state_; }

 private:
  struct Scan;
  Scan ScanCells(bool kill);
  std::uint32_t cells() const { return flash_.sector_bytes() / static_cast<std::uint32_t>(kRecordCellBytes); }
  std::uint64_t OffsetOf(std::uint32_t sector, std::uint32_t cell) const;
  Status Kill(std::uint32_t sector, std::uint32_t cell);
  Status WriteTwice(const RecordCell& cell);
  Result<bool> WriteCell(const RecordCell& cell);
  Status MakeRoom();

  Flash& flash_;
  RecordState state_;
  Status usable_;  // why Commit refuses, if it does
  bool loaded_ = false;
  std::uint32_t keep_ = 0;    // the sector that must not be erased
  std::uint32_t sector_ = 0;  // where the next cell goes
  std::uint32_t cell_ = 0;    // == cells(): the sector is full
  bool guard_ = false;        // the cell before cell_ is to be killed first
};

}  // namespace pawl
