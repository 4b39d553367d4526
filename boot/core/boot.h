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

struct Booted {
  RecordState found;  // the record as it was, made solid
  BootFacts facts;
  std::array<Status, 2> verdicts;  // by Slot: why a slot does not verify, with the detail
  Settled settled;
  HandOff hand_off;                   // for the image; meaningless in recovery
  std::optional<BootableSlot> image;  // what to run; none: recovery
};

// Precondition: nothing of the firmware runs any more. watchdog_ms: the window that the port will arm before the jump.
Booted Boot(RecordStore& record, BootSlots& slots, const Rom& rom, ResetCause cause, std::uint32_t watchdog_ms);

}  // namespace pawl
