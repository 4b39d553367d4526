#include "boot/core/boot.h"

#include <gtest/gtest.h>

#include <vector>

#include "boot/core/recheck.h"
#include "slots/fake_flash.h"
#include "trust/verify/test_signer.h"

namespace pawl {
namespace {

using Bytes = std::vector<std::uint8_t>;

const test::TestKey kImageKey("boot test image");
const test::TestKey kDirectorKey("boot test director");
const test::TestKey kStranger("boot test stranger");
constexpr Uuid kVendor{1};
constexpr Uuid kClass{2};
constexpr std::uint32_t kWatchdogMs = 3000;

class FakeSlots final : public BootSlots {
 public:
  Flash& flash(Slot slot) override { return slot == Slot::kA ? a_ : b_; }
  Result<ByteView> Load(Slot slot, std::uint64_t image_bytes) override {
    if (fail_load_) return Fail(Reason::kIo, "the slot cannot be read");
    Bytes& memory = memory_[static_cast<std::size_t>(slot)];
    memory.assign(image_bytes, 0);
    PAWL_TRY(flash(slot).Read(0, memory));
    if (alter_) memory[0] ^= 1;
    return ByteView(memory);
  }
  void AlterWhatIsLoaded() { alter_ = true; }
  void FailLoad() { fail_load_ = true; }
  FakeFlash& fake(Slot slot) { return slot == Slot::kA ? a_ : b_; }

 private:
  FakeFlash a_{8, 4096};
  FakeFlash b_{8, 4096};
  std::array<Bytes, 2> memory_;
  bool alter_ = false;
  bool fail_load_ = false;
};

class BootTest : public ::testing::Test {
 protected:
  BootTest() {
    rom.anchors.keys.push_back(kImageKey.Entry(Role::kImage));
    rom.anchors.keys.push_back(kDirectorKey.Entry(Role::kDirector));
    rom.identity = {.vendor = kVendor, .cls = kClass, .board_revision = 2, .min_security_version = 1};
  }

  static Manifest ManifestOf(const Bytes& image, std::uint64_t sequence) {
    Manifest manifest;
    manifest.sequence = sequence;
    manifest.version = {.major = 1};
    manifest.vendor = kVendor;
    manifest.cls = kClass;
    manifest.image_digest = crypto::Hash(image);
    manifest.image_bytes = image.size();
    manifest.security_version = 2;
    manifest.min_board_revision = 1;
    manifest.trial_budget_s = 60;
    manifest.payload_digest = manifest.image_digest;
    manifest.payload_bytes = image.size();
    return manifest;
  }

  // Returns the manifest's digest.
  Digest Install(Slot slot, const Bytes& image, const Manifest& manifest, const test::TestKey& key = kImageKey) {
    FakeFlash& flash = slots.fake(slot);
    for (std::uint64_t sector = 0; sector < 8; ++sector) EXPECT_TRUE(flash.Erase(sector).has_value());
    EXPECT_TRUE(flash.Program(0, image).has_value());
    const Bytes encoded = test::Encode(manifest);
    EXPECT_TRUE(WriteEnvelope(flash, test::SignManifest(encoded, {&key})).has_value());
    return test::ManifestDigest(encoded);
  }
  Digest Install(Slot slot, std::uint8_t content, std::uint64_t sequence) {
    const Bytes image(5000, content);
    return Install(slot, image, ManifestOf(image, sequence));
  }

  Booted Run(ResetCause cause = ResetCause::kPower) {
    RecordStore store(record);
    return Boot(store, slots, rom, cause, kWatchdogMs);
  }
  std::uint32_t LookAgain(const Booted& boot) {
    RecordStore store(record);
    return Recheck(store, slots, rom, boot);
  }
  void Store(const BootRecord& next) {
    RecordStore store(record);
    store.Load();
    ASSERT_TRUE(store.Commit(next).has_value());
  }
  BootRecord Stored() { return RecordStore(record).Peek().record; }
  static BootRecord Trial(const Digest& digest) {
    BootRecord base;
    base.proven = true;
    return *SetPending(base, Slot::kA, {.slot = Slot::kB, .job = 5, .manifest_digest = digest});
  }

  FakeFlash record{2, 4096};
  FakeSlots slots;
  Rom rom;
};

TEST_F(BootTest, ANewDeviceBootsItsFactoryImageUnproven) {
  Install(Slot::kA, 0xAA, 1);
  const Booted boot = Run();
  ASSERT_TRUE(boot.image != nullptr);
  EXPECT_EQ(boot.settled.decision.row(), BootRow::kB1);
  EXPECT_EQ(boot.image->slot(), Slot::kA);
  EXPECT_TRUE(Equal(boot.image->image(), Bytes(5000, 0xAA)));
  EXPECT_EQ(boot.hand_off.mode, BootMode::kUnproven);
  EXPECT_EQ(boot.hand_off.security_version, 2U);
  EXPECT_EQ(boot.hand_off.watchdog_ms, kWatchdogMs);
  EXPECT_EQ(boot.verdicts[1].error().reason, Reason::kNotFound);
  EXPECT_EQ(Stored().confirmed, Slot::kA);
}

TEST_F(BootTest, APendingSlotIsTriedWithItsAttemptCountedBeforeTheJump) {
  Install(Slot::kA, 0xAA, 1);
  Store(Trial(Install(Slot::kB, 0xBB, 2)));
  const Booted boot = Run(ResetCause::kSoftware);
  EXPECT_EQ(boot.hand_off.slot, Slot::kB);
  EXPECT_EQ(boot.hand_off.mode, BootMode::kTrial);
  EXPECT_EQ(boot.hand_off.trial, 1U);
  EXPECT_EQ(Stored().attempts_left, kMaxAttempts - 1);
  EXPECT_TRUE(Stored().started);
}

// C1: the slot changed after the firmware verified it.
TEST_F(BootTest, EveryFlippedByteOfAPendingImageIsFoundAtTheBootAndReported) {
  Install(Slot::kA, 0xAA, 1);
  const BootRecord trial = Trial(Install(Slot::kB, 0xBB, 2));
  for (const std::size_t at : {0U, 1U, 2500U, 4999U}) {
    Store(trial);
    slots.fake(Slot::kB).bytes_now()[at] ^= 0x10;
    const Booted boot = Run(ResetCause::kSoftware);
    EXPECT_EQ(boot.hand_off.slot, Slot::kA);
    EXPECT_EQ(*boot.settled.decision.rows.begin(), BootRow::kB3);
    EXPECT_EQ(Stored().reason, Reason::kInvalidImage);
    EXPECT_EQ(Stored().detail.view(), "image digest");
    EXPECT_TRUE(Stored().owed);
    slots.fake(Slot::kB).bytes_now()[at] ^= 0x10;
  }
}

TEST_F(BootTest, EverySingleBitFlipOfTheEnvelopeIsRefused) {
  Install(Slot::kA, 0xAA, 1);
  FakeFlash& flash = slots.fake(Slot::kA);
  SlotTrailer buffer;
  const std::size_t bytes = ReadEnvelope(flash, buffer)->size() + 8;
  const std::size_t at = flash.bytes_now().size() - kSlotTrailerBytes;
  for (std::size_t bit = 0; bit < 8 * bytes; ++bit) {
    std::uint8_t& byte = flash.bytes_now()[at + bit / 8];
    byte = static_cast<std::uint8_t>(byte ^ (1U << (bit % 8)));
    ASSERT_FALSE(VerifySlot(slots, Slot::kA, rom, 0).has_value()) << bit;
    byte = static_cast<std::uint8_t>(byte ^ (1U << (bit % 8)));
  }
  EXPECT_TRUE(VerifySlot(slots, Slot::kA, rom, 0).has_value());
}

TEST_F(BootTest, ASlotIsVerifiedOverTheBytesThatWouldRun) {
  Install(Slot::kA, 0xAA, 1);
  slots.AlterWhatIsLoaded();  // the slot itself is genuine
  EXPECT_EQ(VerifySlot(slots, Slot::kA, rom, 0).error().reason, Reason::kImageDigest);
  EXPECT_TRUE(Run().settled.decision.recovery());
}

TEST_F(BootTest, ASlotThatCannotBeReadDoesNotVerify) {
  Install(Slot::kA, 0xAA, 1);
  slots.FailLoad();
  EXPECT_EQ(VerifySlot(slots, Slot::kA, rom, 0).error().reason, Reason::kIo);
}

TEST_F(BootTest, EveryConditionOfTheManifestIsCheckedAtTheBoot) {
  const Bytes image(5000, 0xAA);
  struct Case {
    Reason reason;
    void (*change)(Manifest&);
  };
  const Case cases[] = {
      {Reason::kWrongVendor, [](Manifest& m) { m.vendor = Uuid{7}; }},
      {Reason::kWrongClass, [](Manifest& m) { m.cls = Uuid{7}; }},
      {Reason::kWrongBoard, [](Manifest& m) { m.min_board_revision = 3; }},
      {Reason::kSecurityVersion, [](Manifest& m) { m.security_version = 0; }},
      {Reason::kImageDigest, [](Manifest& m) { m.image_digest[0] ^= 1; }},
      {Reason::kImageDigest, [](Manifest& m) { m.image_bytes = 4999; }},
      {Reason::kImageTooLarge, [](Manifest& m) { m.image_bytes = 8 * 4096 - kSlotTrailerBytes + 1; }},
      {Reason::kWrongSlot, [](Manifest& m) { m.slot = 1; }},
  };
  for (const Case& c : cases) {
    Manifest manifest = ManifestOf(image, 1);
    c.change(manifest);
    manifest.payload_bytes = manifest.image_bytes;
    manifest.payload_digest = manifest.image_digest;
    Install(Slot::kA, image, manifest);
    const auto verified = VerifySlot(slots, Slot::kA, rom, 0);
    ASSERT_FALSE(verified.has_value());
    EXPECT_EQ(verified.error().reason, c.reason) << verified.error().detail.view();
  }
  for (const test::TestKey* key : {&kStranger, &kDirectorKey}) {
    Install(Slot::kA, image, ManifestOf(image, 1), *key);
    EXPECT_FALSE(VerifySlot(slots, Slot::kA, rom, 0).has_value());
  }
  Install(Slot::kA, image, ManifestOf(image, 1));
  EXPECT_TRUE(VerifySlot(slots, Slot::kA, rom, 0).has_value());
}

// A7: a genuine older image in the other slot.
TEST_F(BootTest, AnImageBelowTheRecordsFloorOrTheRomsIsRefusedEvenIfPending) {
  Install(Slot::kA, 0xAA, 1);
  const Bytes old_image(5000, 0xBB);
  Manifest old = ManifestOf(old_image, 2);
  old.security_version = 1;
  BootRecord trial = Trial(Install(Slot::kB, old_image, old));
  trial.floor = 2;
  Store(trial);
  const Booted boot = Run(ResetCause::kSoftware);
  EXPECT_EQ(boot.hand_off.slot, Slot::kA);
  EXPECT_EQ(Stored().reason, Reason::kInvalidImage);
  EXPECT_EQ(Stored().detail.view(), "security version too low");
  EXPECT_EQ(boot.verdicts[1].error().reason, Reason::kSecurityVersion);

  rom.identity.min_security_version = 3;
  EXPECT_EQ(VerifySlot(slots, Slot::kA, rom, 0).error().reason, Reason::kSecurityVersion);
}

// C5: the record is no authority.
TEST_F(BootTest, ARecordThatPointsAtGarbageNeverBootsIt) {
  Install(Slot::kA, 0xAA, 1);
  BootRecord forged;
  forged.confirmed = Slot::kB;
  forged.proven = true;
  for (const bool garbage : {false, true}) {
    if (garbage) std::ranges::fill(slots.fake(Slot::kB).bytes_now(), 0x5A);
    Store(forged);
    EXPECT_EQ(Run().hand_off.slot, Slot::kA);
    Store(Trial(Digest{}));
    EXPECT_EQ(Run().hand_off.slot, Slot::kA);
  }
  for (const std::uint8_t filling : {std::uint8_t{0x00}, std::uint8_t{0xFF}, std::uint8_t{0x5A}}) {
    std::ranges::fill(record.bytes_now(), filling);
    const Booted boot = Run();
    EXPECT_EQ(boot.hand_off.slot, Slot::kA);
    EXPECT_EQ(boot.hand_off.mode, BootMode::kUnproven);
    EXPECT_EQ(boot.settled.decision.row(), filling == 0xFF ? BootRow::kB1 : BootRow::kB2);
  }
}

// C8
TEST_F(BootTest, WithNoSlotThatVerifiesThereIsNothingToRun) {
  Install(Slot::kA, 0xAA, 1);
  Store(Trial(Install(Slot::kB, 0xBB, 2)));
  slots.fake(Slot::kA).bytes_now()[7] ^= 1;
  slots.fake(Slot::kB).bytes_now()[7] ^= 1;
  const Booted boot = Run();
  EXPECT_TRUE(boot.settled.decision.recovery());
  EXPECT_FALSE(boot.image != nullptr);
  EXPECT_EQ(Stored().emergency_reason, Reason::kNothingBootable);
  EXPECT_TRUE(Stored().owed);
  const auto before = record.bytes_now();
  EXPECT_TRUE(Run().settled.decision.recovery());
  EXPECT_EQ(record.bytes_now(), before);  // once
}

// C4: the second look shares nothing with the first but its choice.
TEST_F(BootTest, TheSecondLookFindsWhatTheFirstOneMissed) {
  Install(Slot::kA, 0xAA, 1);
  const Booted boot = Run();
  ASSERT_TRUE(boot.image != nullptr);
  const Rom genuine = rom;
  EXPECT_EQ(LookAgain(boot), kMayRun);
  EXPECT_NE(LookAgain(Booted{}), kMayRun);

  auto& memory = const_cast<std::uint8_t&>(boot.image->image()[100]);
  memory ^= 1;
  EXPECT_NE(LookAgain(boot), kMayRun) << "an altered image";
  memory ^= 1;
  rom.anchors.keys.clear();
  EXPECT_NE(LookAgain(boot), kMayRun) << "no key";
  rom = genuine;
  rom.identity.cls = Uuid{7};
  EXPECT_NE(LookAgain(boot), kMayRun) << "another class";
  rom = genuine;
  BootRecord raised;
  raised.floor = 3;
  Store(raised);
  EXPECT_NE(LookAgain(boot), kMayRun) << "a floor that the first look did not see";
  raised.floor = 2;
  Store(raised);
  EXPECT_EQ(LookAgain(boot), kMayRun);

  const Bytes image(5000, 0xAA);
  Install(Slot::kA, image, ManifestOf(image, 2));
  EXPECT_NE(LookAgain(boot), kMayRun) << "another manifest of the same image";
  Install(Slot::kA, image, ManifestOf(image, 1), kStranger);
  EXPECT_NE(LookAgain(boot), kMayRun) << "a signature that does not hold";
  Install(Slot::kA, 0xAA, 1);
  EXPECT_EQ(LookAgain(boot), kMayRun);
}

TEST_F(BootTest, IfTheAttemptCannotBeCountedTheConfirmedSlotRuns) {
  Install(Slot::kA, 0xAA, 1);
  Store(Trial(Install(Slot::kB, 0xBB, 2)));
  record.MakeUnwritable();
  const Booted boot = Run(ResetCause::kSoftware);
  EXPECT_FALSE(boot.settled.committed.has_value());
  EXPECT_EQ(boot.hand_off.slot, Slot::kA);
  EXPECT_EQ(boot.hand_off.mode, BootMode::kNormal);
}

}  // namespace
}  // namespace pawl
