// The ROM data: what the factory puts beside the bootloader into memory that no program can write.
//
// Format  docs/spec/boot.md, "The ROM data": "PWROM1" 0 0 | watchdog_ms u32 | anchors length u32 | identity length u32
// |
//         SHA-256 of anchors | SHA-256 of identity | CRC-32 of all before; little endian. The anchors lie 4 KiB behind
//         the header's start, the identity 8 KiB.
#pragma once

#include "base/bytes.h"

namespace pawl::bare {

inline constexpr std::size_t kRomDataBytes = 12 << 10;

struct RomData {
  ByteView anchors;  // empty: missing or damaged
  ByteView identity;
  std::uint32_t watchdog_ms = 0;
};

// Checked at each call, as the bytes lie there. Precondition: `rom` has kRomDataBytes. Lifetime: views into `rom`.
RomData ReadRomData(ByteView rom);

}  // namespace pawl::bare
