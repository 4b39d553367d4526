#include "boot/core/recheck.h"

namespace pawl {
namespace {

// The slot's envelope from flash, its image from where it was loaded to: the bytes that will run.
class LoadedSlots final : public BootSlots {
 public:
  LoadedSlots(BootSlots& slots, ByteView image) : slots_(slots), image_(image) {}
  Flash& flash(Slot slot) override { return slots_.flash(slot); }
  Result<ByteView> Load(Slot, FlashOffset) override { return image_; }

 private:
  BootSlots& slots_;
  ByteView image_;
};

}  // namespace

std::uint32_t Recheck(RecordStore& record, BootSlots& slots, const Rom& rom, const Booted& booted) {
  if (booted.image == nullptr) return 0;
  LoadedSlots loaded(slots, booted.image->image());
  const std::uint32_t floor = record.Peek().record.floor;
  const Result<BootableSlot> again = VerifySlot(loaded, booted.hand_off.slot, rom, floor);
  const bool same = again && again->manifest().digest() == booted.image->manifest().digest();
  return same ? kMayRun : 0;
}

}  // namespace pawl
