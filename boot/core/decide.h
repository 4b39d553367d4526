// The boot decision: which slot runs, and what the record says from now on. Pure, freestanding.
//
// Shapes  in: RecordState, BootFacts. out: BootDecision.
// Errors  none: every input, even a lost record, maps to exactly one decision.
// Source  docs/spec/boot.md, "Decision"; the rows stand in boot/core/boot_rows.def, and a test holds the page to them.
#pragma once

#include "base/bounded.h"
#include "slots/handoff.h"
#include "slots/record_store.h"

namespace pawl {

enum class BootRow : std::uint8_t {
#define PAWL_BOOT_ROW(name, input, change, then) k##name,
#include "boot/core/boot_rows.def"
#undef PAWL_BOOT_ROW
};
std::string_view Text(BootRow row);

// What verification said about one slot.
struct SlotFacts {
  bool verified = false;       // V(s)
  Reason why = Reason::kNone;  // why not, if not verified
  Digest manifest_digest{};    // the rest only if verified
  std::uint64_t sequence = 0;
  std::uint32_t security_version = 0;

  friend bool operator==(const SlotFacts&, const SlotFacts&) = default;
};

struct BootFacts {
  std::array<SlotFacts, 2> slots;  // by Slot
  ResetCause cause = ResetCause::kOther;

  const SlotFacts& of(Slot slot) const { return slots[static_cast<std::size_t>(slot)]; }
};

struct BootDecision {
  BoundedVec<BootRow, 6> rows;  // that applied, in order; the last one decided
  std::optional<Slot> slot;     // that runs; none: recovery
  BootMode mode = BootMode::kUnproven;
  bool commit = false;  // `next` differs from what is stored and must be committed before the jump
  BootRecord next;      // its sequence number is the store's business

  bool recovery() const { return !slot.has_value(); }
  BootRow row() const { return rows[rows.size() - 1]; }
};

BootDecision Decide(const RecordState& state, const BootFacts& facts);

// What to do if `decision` could not be committed: an attempt that is not counted is not made, so the confirmed slot
// runs, or the other if only that verifies; nothing is written.
BootDecision WithoutCommit(const RecordState& state, const BootFacts& facts, const BootDecision& decision);

}  // namespace pawl
