// V(s): does this slot hold an image that may run? Over ports; freestanding, no heap.
#pragma once

#include "boot/core/decide.h"
#include "slots/slot.h"
#include "trust/verify/verify.h"

namespace pawl {

// The slots as the bootloader sees them.
class BootSlots {
 public:
  BootSlots() = default;
  BootSlots(const BootSlots&) = delete;
  BootSlots& operator=(const BootSlots&) = delete;

  virtual Flash& flash(Slot slot) = 0;
  // The first `image_bytes` of the slot, in the very memory from which they will run and which nothing can change any
  // more. Lifetime: until the next Load of the same slot. Errors: i/o error.
  virtual Result<ByteView> Load(Slot slot, FlashOffset image_bytes) = 0;

 protected:
  ~BootSlots() = default;  // nobody owns slots by their base
};

// What the ROM says: compiled in, fused, or read from a medium that cannot be written.
struct Rom {
  KeyTable anchors;
  RomIdentity identity;
};

// Checks the envelope (signatures, conditions against ROM and `floor`), then loads the image and hashes it. The object
// exists only if all held.
class BootableSlot {
 public:
  Slot slot() const { return slot_; }
  const BootableManifest& manifest() const { return manifest_; }
  ByteView image() const { return image_; }  // lifetime: BootSlots::Load

 private:
  friend Result<BootableSlot> VerifySlot(BootSlots& slots, Slot slot, const Rom& rom, std::uint32_t floor);
  BootableSlot(Slot slot, const BootableManifest& manifest, ByteView image)
      : slot_(slot), manifest_(manifest), image_(image) {}
  Slot slot_;
  BootableManifest manifest_;
  ByteView image_;
};

// floor: the record's; the ROM's minimum is added to it. Errors: those of Verify and CheckBootable, image digest
// mismatch, not found (empty slot), corrupt, i/o error.
Result<BootableSlot> VerifySlot(BootSlots& slots, Slot slot, const Rom& rom, std::uint32_t floor);

}  // namespace pawl
