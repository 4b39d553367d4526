// The linker puts these in the place of VerifySlot and VerifyP256 (--wrap, see CMakeLists.txt): they ask the real ones
// once for each distinct input, and then remember. Without that, a million power cuts would be a million signatures.
#include "tests/powercut/memo.h"

#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

#include "tests/powercut/board.h"
#include "trust/crypto/crypto.h"

namespace pawl {
namespace {

using powercut::Board;
std::uint64_t verdicts_remembered = 0;

// The bytes of one slot, what they were found to be, and the memory that holds the image.
class Verdict final : public BootSlots {
 public:
  Verdict(FakeFlash& flash, Slot slot, const Rom& rom, std::uint32_t floor)
      : bytes_(std::as_const(flash).bytes_now()), flash_(&flash), verdict_(Ask(*this, slot, rom, floor)) {}
  const std::vector<std::uint8_t>& bytes() const { return bytes_; }
  const Result<BootableSlot>& get() const { return verdict_; }

  Flash& flash(Slot) override { return *flash_; }
  Result<ByteView> Load(Slot, std::uint64_t image_bytes) override {
    memory_.assign(image_bytes, 0);
    PAWL_TRY(flash_->Read(0, memory_));
    return ByteView(memory_);
  }

 private:
  static Result<BootableSlot> Ask(BootSlots& slots, Slot slot, const Rom& rom, std::uint32_t floor);
  std::vector<std::uint8_t> bytes_;
  std::vector<std::uint8_t> memory_;
  FakeFlash* flash_;
  Result<BootableSlot> verdict_;
};

}  // namespace

// The names that --wrap gives them; declared by their mangled names, so that types are checked here and the linker
// fails if a signature changes.
Result<BootableSlot> RealVerifySlot(BootSlots&, Slot, const Rom&, std::uint32_t) __asm__(
    "__real__ZN4pawl10VerifySlotERNS_9BootSlotsENS_4SlotERKNS_3RomEj");
Result<BootableSlot> MemoVerifySlot(BootSlots&, Slot, const Rom&, std::uint32_t) __asm__(
    "__wrap__ZN4pawl10VerifySlotERNS_9BootSlotsENS_4SlotERKNS_3RomEj");
namespace crypto {
bool RealVerifyP256(const PublicKey&, const Digest&, const Signature&) __asm__(
    "__real__ZN4pawl6crypto10VerifyP256ERKSt5arrayIhLm65EERKS1_IhLm32EERKS1_IhLm64EE");
bool MemoVerifyP256(const PublicKey&, const Digest&, const Signature&) __asm__(
    "__wrap__ZN4pawl6crypto10VerifyP256ERKSt5arrayIhLm65EERKS1_IhLm32EERKS1_IhLm64EE");

bool MemoVerifyP256(const PublicKey& key, const Digest& digest, const Signature& signature) {
  static std::map<std::tuple<PublicKey, Digest, Signature>, bool> known;
  const auto [entry, fresh] = known.try_emplace({key, digest, signature}, false);
  if (fresh) entry->second = RealVerifyP256(key, digest, signature);
  return entry->second;
}
}  // namespace crypto

Result<BootableSlot> Verdict::Ask(BootSlots& slots, Slot slot, const Rom& rom, std::uint32_t floor) {
  return RealVerifySlot(slots, slot, rom, floor);
}

// Only bytes that read the same each time have a verdict; the rest is verified anew.
Result<BootableSlot> MemoVerifySlot(BootSlots& slots, Slot slot, const Rom& rom, std::uint32_t floor) {
  constexpr std::size_t kVerdictsMax = 1024;
  using Verdicts = std::unordered_map<std::uint64_t, std::unique_ptr<Verdict>>;
  static Verdicts known;
  static Verdicts outgoing;  // still backs the images of verdicts that were given lately
  auto& flash = static_cast<FakeFlash&>(slots.flash(slot));
  if (!flash.powered() || flash.has_marginal()) return RealVerifySlot(slots, slot, rom, floor);
  const std::uint64_t key = flash.Fingerprint() * 64 + floor * 2 + static_cast<std::uint64_t>(slot);
  auto found = known.find(key);
  if (found == known.end()) {
    if (known.size() == kVerdictsMax) outgoing = std::exchange(known, {});
    found = known.emplace(key, std::make_unique<Verdict>(flash, slot, rom, floor)).first;
  }
  PAWL_ASSERT(found->second->bytes() == std::as_const(flash).bytes_now());
  ++verdicts_remembered;
  return found->second->get();
}

std::uint64_t powercut::VerdictsRemembered() { return verdicts_remembered; }

}  // namespace pawl
