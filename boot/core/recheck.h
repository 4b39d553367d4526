// The second look at what Boot chose, right before the jump. Over ports; freestanding, no heap.
//
// Why  a glitch on clock or supply can make a processor skip one instruction. A boot that looks once has many places
//      where that one instruction is the check. Here everything that decides whether these bytes may run is done again
//      from the sources (ROM, the record and the envelope on flash, the image in memory), and nothing of the first look
//      but its choice is used. One skipped instruction can spoil one look only. docs/adr/0010, tests/attack.
#pragma once

#include "boot/core/boot.h"

namespace pawl {

inline constexpr std::uint32_t kMayRun = 0x695A96A5;  // far from all that a register is likely to hold

// kMayRun: the image that Boot chose holds, seen once more; anything else: it must not run. rom: decoded once more by
// the caller. Preconditions: Boot returned `booted`, not in recovery, and nothing was written to flash or memory since.
[[nodiscard]] std::uint32_t Recheck(RecordStore& record, BootSlots& slots, const Rom& rom, const Booted& booted);

}  // namespace pawl
