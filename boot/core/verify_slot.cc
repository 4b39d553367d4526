#include "boot/core/verify_slot.h"

#include "trust/crypto/crypto.h"

namespace pawl {

Result<BootableSlot> VerifySlot(BootSlots& slots, Slot slot, const Rom& rom, std::uint32_t floor) {
  SlotTrailer trailer;
  Flash& flash = slots.flash(slot);
  PAWL_ASSIGN(const ByteView envelope, ReadEnvelope(flash, trailer));
  const auto verified = Verify(envelope, rom.anchors);
  if (!verified) return std::unexpected(verified.error());
  const FlashOffset slot_bytes = flash.bytes();
  const Target target{.vendor = rom.identity.vendor,
                      .cls = rom.identity.cls,
                      .board_revision = rom.identity.board_revision,
                      .security_floor = std::max<std::uint64_t>(floor, rom.identity.min_security_version),
                      .slot_bytes = slot_bytes,
                      .slot = static_cast<std::uint64_t>(slot)};
  const auto manifest = CheckBootable(*verified, target);
  if (!manifest) return std::unexpected(manifest.error());
  const std::uint64_t image_bytes = manifest->get().image_bytes;
  // The size is part of CheckBootable; a second look costs nothing, and all that follows trusts it.
  if (image_bytes > SlotImageBytesMax(slot_bytes)) return Fail(Reason::kImageTooLarge);
  PAWL_ASSIGN(const ByteView image, slots.Load(slot, static_cast<FlashOffset>(image_bytes)));
  if (image.size() != image_bytes || crypto::Hash(image) != manifest->get().image_digest) {
    return Fail(Reason::kImageDigest);
  }
  return BootableSlot(slot, *manifest, image);
}

}  // namespace pawl
