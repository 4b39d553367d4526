// What a device consists of while it is off: boot record, slots A and B, on one power supply. And the releases that
// it may get: real envelopes, signed by a test key.
#pragma once

#include <vector>

#include "boot/core/boot.h"
#include "slots/fake_flash.h"

namespace pawl::powercut {

inline constexpr std::uint32_t kRecordSectorBytes = 8 * kRecordCellBytes;  // small: every few commits a compaction
inline constexpr std::uint32_t kSlotSectorBytes = 4096;
inline constexpr std::uint32_t kSlotSectors = 3;  // one for the image, two for the trailer
inline constexpr std::size_t kImageBytes = 256;

struct Release {
  std::vector<std::uint8_t> image;
  std::vector<std::uint8_t> envelope;
  Digest manifest_digest{};
};
// Release 0 is the factory's. Security versions rise up to the last but one; the last two alternate for ever.
inline constexpr std::uint32_t kReleases = 8;  // distinct ones

const Release& ReleaseOf(std::uint32_t number);
const Rom& TestRom();

class Board final : public BootSlots {
 public:
  struct Snapshot {
    FakeFlash::Medium record, a, b;
  };
  void Save(Snapshot& to) {
    record.SaveTo(to.record);
    a_.SaveTo(to.a);
    b_.SaveTo(to.b);
  }
  void Restore(const Snapshot& from) {
    record.Restore(from.record);
    a_.Restore(from.a);
    b_.Restore(from.b);
  }
  std::uint64_t Fingerprint() { return record.Fingerprint() ^ 3 * a_.Fingerprint() ^ 5 * b_.Fingerprint(); }
  bool has_marginal() const { return record.has_marginal() || a_.has_marginal() || b_.has_marginal(); }

  FakeFlash& fake(Slot slot) { return slot == Slot::kA ? a_ : b_; }
  // The bootloader verifies, so the record was loaded. Was there power then?
  Flash& flash(Slot slot) override {
    powered_at_verification_ = power.on();
    return fake(slot);
  }
  Result<ByteView> Load(Slot slot, std::uint64_t image_bytes) override;
  void ForgetVerification() { powered_at_verification_ = false; }
  bool powered_at_verification() const { return powered_at_verification_; }

  FakePower power;
  FakeFlash record{2, kRecordSectorBytes, power};

 private:
  FakeFlash a_{kSlotSectors, kSlotSectorBytes, power};
  FakeFlash b_{kSlotSectors, kSlotSectorBytes, power};
  std::array<std::vector<std::uint8_t>, 2> memory_;
  bool powered_at_verification_ = false;
};

}  // namespace pawl::powercut
