// One boot, from reset to the jump: load the record, verify the slots, decide, commit. Over ports; freestanding, no
// heap. What is left to the port is to arm the watchdog and to jump.
#pragma once

#include "boot/core/decide.h"
#include "boot/core/verify_slot.h"

namespace pawl {

struct Booted {
  RecordState found;  // the record as it was, made solid
  BootFacts facts;
  BootDecision decision;              // as carried out
  Status committed;                   // why the decision was carried out without its commit, if it was
  HandOff hand_off;                   // for the image; meaningless in recovery
  std::optional<BootableSlot> image;  // what to run; none: recovery
};

// Precondition: nothing of the firmware runs any more. watchdog_ms: the window that the port will arm before the jump.
Booted Boot(RecordStore& record, BootSlots& slots, const Rom& rom, ResetCause cause, std::uint32_t watchdog_ms);

}  // namespace pawl
