// One boot, from reset to the jump: load the record, verify the slots, decide, commit. Over ports; freestanding, no
// heap. What is left to the port is to arm the watchdog and to jump.
#pragma once

#include "boot/core/decide.h"
#include "boot/core/verify_slot.h"

namespace pawl {

// A decision and what became of its commit.
struct Settled {
  BootDecision decision;  // as carried out
  Status committed;       // if it failed, `decision` is the one for that case (WithoutCommit)
};

// Decides and commits, before the jump. Precondition: `record` is loaded.
Settled Settle(RecordStore& record, const BootFacts& facts);

// What a boot came to. Made by Boot, in place: two verified manifests are not copied about.
struct Booted {
  Booted() = default;
  Booted(const Booted&) = delete;
  Booted& operator=(const Booted&) = delete;
  Booted(RecordStore& record, BootSlots& slots, const Rom& rom, ResetCause cause, std::uint32_t watchdog_ms);

  const BootableSlot* image = nullptr;  // what to run, one of the verdicts; null: recovery
  HandOff hand_off;                     // for it
  RecordState found;                    // the record as it was, made solid
  // By Slot: what verifies, or why it does not, with the detail.
  std::array<Result<BootableSlot>, 2> verdicts{{Fail(Reason::kNotFound), Fail(Reason::kNotFound)}};
  BootFacts facts;
  Settled settled;
};

// Precondition: nothing of the firmware runs any more. watchdog_ms: the window that the port will arm before the jump.
inline Booted Boot(RecordStore& record, BootSlots& slots, const Rom& rom, ResetCause cause, std::uint32_t watchdog_ms) {
  return Booted(record, slots, rom, cause, watchdog_ms);
}

}  // namespace pawl
