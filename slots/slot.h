// What lies in a slot: the image at offset 0; in the last 8 KiB "PWE1" | u32 LE length | envelope. Freestanding.
//
// The envelope is erased first and written last, so a slot that is being written never looks complete. Nothing here
// says that an image is genuine: boot/core/verify_slot does.
#pragma once

#include "base/result.h"
#include "slots/flash.h"

namespace pawl {

inline constexpr std::size_t kSlotTrailerBytes = 8192;
inline constexpr std::size_t kSlotEnvelopeBytesMax = kSlotTrailerBytes - 8;

constexpr FlashOffset SlotImageBytesMax(FlashOffset slot_bytes) {
  return slot_bytes < kSlotTrailerBytes ? 0 : slot_bytes - kSlotTrailerBytes;
}

using SlotTrailer = std::array<std::uint8_t, kSlotTrailerBytes>;

// The envelope in this slot, read into `buffer`. Lifetime: a view into `buffer`.
// Errors: not found (no envelope: the slot is empty or half-written), corrupt (impossible length), i/o error.
Result<ByteView> ReadEnvelope(Flash& slot, SlotTrailer& buffer);

// Erases the sectors that hold the trailer, durably. Where a sector is larger than the trailer, the end of the image
// goes with it. To be called before the first byte of a new image is written.
Status EraseEnvelope(Flash& slot);

// Makes all image bytes before it durable, then writes the envelope, durably. Precondition of NOR: EraseEnvelope.
// Errors: too large (over kSlotEnvelopeBytesMax), i/o error.
Status WriteEnvelope(Flash& slot, ByteView envelope);

}  // namespace pawl
