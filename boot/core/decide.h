// The boot decision: which slot runs, and what the record says from now on. Pure, freestanding.
//
// Shapes  in: RecordState, BootFacts. out: BootDecision.
// Errors  none: every input, even a lost record, maps to exactly one decision.
// Source  docs/spec/boot.md, "Decision"; the rows stand in boot/core/boot_rows.def, and a test holds the page to them.
#pragma once

#include <bit>
#include <iterator>

#include "slots/handoff.h"
#include "slots/record_store.h"

namespace pawl {

enum class BootRow : std::uint8_t {
#define PAWL_BOOT_ROW(name, input, change, then) k##name,
#include "boot/core/boot_rows.def"
#undef PAWL_BOOT_ROW
};
std::string_view Text(BootRow row);

// The rows that applied, in order: they apply in the order of their enumerators, so a bit for each says it all.
class BootRows {
 public:
  class Iterator {
   public:
    using value_type = BootRow;
    using difference_type = std::ptrdiff_t;
    constexpr Iterator() = default;
    constexpr explicit Iterator(std::uint32_t left) : left_(left) {}
    constexpr BootRow operator*() const { return static_cast<BootRow>(std::countr_zero(left_)); }
    constexpr Iterator& operator++() {
      left_ &= left_ - 1;
      return *this;
    }
    constexpr Iterator operator++(int) {
      const Iterator before = *this;
      ++*this;
      return before;
    }
    friend constexpr bool operator==(const Iterator&, const Iterator&) = default;

   private:
    std::uint32_t left_ = 0;
  };

  constexpr void Add(BootRow row) { bits_ |= 1U << static_cast<unsigned>(row); }
  // Precondition: there is one.
  constexpr BootRow last() const { return static_cast<BootRow>(std::bit_width(bits_) - 1); }
  constexpr Iterator begin() const { return Iterator(bits_); }
  constexpr Iterator end() const { return Iterator(); }

 private:
  std::uint32_t bits_ = 0;
};
static_assert(std::forward_iterator<BootRows::Iterator>);

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
  BootRows rows;             // the last one decided
  std::optional<Slot> slot;  // that runs; none: recovery
  BootMode mode = BootMode::kUnproven;
  bool commit = false;  // `next` differs from what is stored and must be committed before the jump
  BootRecord next;      // its sequence number is the store's business

  bool recovery() const { return !slot.has_value(); }
  BootRow row() const { return rows.last(); }
};

BootDecision Decide(const RecordState& state, const BootFacts& facts);

// Makes of `decision` what to do if it could not be committed: an attempt that is not counted is not made, so the
// confirmed slot runs, or the other if only that verifies; nothing is written.
void WithoutCommit(const RecordState& state, const BootFacts& facts, BootDecision& decision);

}  // namespace pawl
