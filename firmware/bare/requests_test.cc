// Every request of docs/spec/serial.md: what it does, that it may come twice, and each refusal by its reason.
#include "firmware/bare/test_device.h"

namespace pawl::firmware {
namespace {

using test::Bytes;
using test::Device;
using test::MakeRelease;
using test::Release;

// Runs release 1 from slot A, confirmed and proven.
class Requests : public ::testing::Test {
 protected:
  Requests() {
    device.Install(Slot::kA, running);
    device.Start();
    device.RunTests();
    device.Start(ResetCause::kSoftware);
    EXPECT_EQ(device.machine.booted()->hand_off.mode, BootMode::kNormal);
  }
  void Seal(const Release& release) {
    device.Stage(release);
    ASSERT_EQ(device.WhyNot(serial::Seal{}), Reason::kNone);
  }
  bool EnvelopeIsThere() {
    SlotTrailer buffer;
    return ReadEnvelope(device.slot_b, buffer).has_value();
  }

  const Release running = MakeRelease(1);
  const Release next = MakeRelease(2);
  Device device;
};

TEST_F(Requests, FactsTellWhatRuns) {
  const serial::Facts facts = device.Facts();
  EXPECT_EQ(facts.version, serial::kVersion);
  EXPECT_EQ(facts.slot, 0);
  EXPECT_EQ(facts.mode, static_cast<std::uint8_t>(BootMode::kNormal));
  EXPECT_EQ(facts.cause, static_cast<std::uint8_t>(ResetCause::kSoftware));
  EXPECT_EQ(facts.security_version, 2U);
  EXPECT_EQ(facts.watchdog_ms, test::kWatchdogMs);
  EXPECT_EQ(facts.record, EncodeRecord(device.record()));
  EXPECT_EQ(facts.image_digest, crypto::Hash(running.image));
  EXPECT_EQ(facts.manifest_digest, running.digest);
  EXPECT_EQ(facts.image_version.view(), "1.0.0");
  EXPECT_EQ(facts.sequence, 1U);
  EXPECT_EQ(facts.trial_budget_s, test::kTrialBudgetS);
  EXPECT_EQ(facts.rom_digest, Digest{0xAB});
  EXPECT_EQ(facts.slot_bytes, std::uint64_t{test::kSectors} * test::kSectorBytes);
  EXPECT_EQ(facts.sector_bytes, test::kSectorBytes);
  EXPECT_EQ(facts.tests, serial::Tests::kNone);
}

TEST_F(Requests, FactsAreRefusedWhenTheOwnManifestCannotBeRead) {
  Device other;
  other.Install(Slot::kA, running);
  other.Start();
  ASSERT_TRUE(EraseEnvelope(other.slot_a).has_value());
  RecordStore record(other.record_flash);
  record.Load();
  const std::array<Flash*, 2> slots{&other.slot_a, &other.slot_b};
  Child child({.port = other.port, .hand_off = {.watchdog_ms = 3000}, .record = record, .slots = slots, .rom = {}}, 0);
  const serial::Frame frame = serial::Pack(serial::Encode(serial::NumberedRequest{9, serial::AskFacts{}}));
  for (const std::uint8_t byte : frame) child.Take(byte, 0);
  const auto answer = other.port.TakeAnswer(9);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(std::get<serial::Refused>(*answer).reason, Reason::kNotFound);
}

TEST_F(Requests, StartedIsToldEachSecondUntilFactsAreAsked) {
  device.port.TakeTellings<serial::Started>();
  device.RunFor(3000);
  const auto started = device.port.TakeTellings<serial::Started>();
  EXPECT_EQ(started.size(), 3U);
  EXPECT_EQ(started[0].boot, device.Facts().boot);
  device.RunFor(3000);
  EXPECT_TRUE(device.port.TakeTellings<serial::Started>().empty());
  const auto before = device.Facts().boot;
  device.Start(ResetCause::kSoftware);
  EXPECT_NE(device.Facts().boot, before);
}

TEST_F(Requests, WhatCannotBeDecodedIsRefusedWithItsNumber) {
  device.Put(Bytes{0x55, 77});
  const auto answer = device.port.TakeAnswer(77);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(std::get<serial::Refused>(*answer).reason, Reason::kMalformed);
  device.Put(Bytes{0x01});
  EXPECT_FALSE(device.port.TakeAnswer(0).has_value());
}

TEST_F(Requests, AWholeUpdateIsStagedSealedAndMarkedPending) {
  Seal(next);
  EXPECT_EQ(device.WhyNot(serial::Pending{12, next.digest}), Reason::kNone);
  EXPECT_EQ(device.record().pending, Slot::kB);
  EXPECT_EQ(device.record().job, 12U);
  EXPECT_EQ(device.record().trial_digest, next.digest);
  EXPECT_EQ(device.WhyNot(serial::Pending{12, next.digest}), Reason::kNone) << "asked again";
  EXPECT_EQ(device.record().trial, 1U);
  EXPECT_EQ(device.WhyNot(serial::Reset{}), Reason::kNone);
  EXPECT_TRUE(device.child().reset_wanted());
}

TEST_F(Requests, AnUpdateGoesOverWhateverTheSlotHeld) {
  device.slot_b.bytes_now().assign(device.slot_b.bytes(), 0);
  Seal(next);
}

TEST_F(Requests, EveryStepMayComeTwice) {
  device.Stage(next);
  EXPECT_EQ(device.Staged(Device::BeginOf(next)).image_bytes, next.image.size()) << "the same Begin goes on";
  const std::uint64_t erases = device.slot_b.erases();
  const ByteView first = ByteView(next.image).first(1000);
  EXPECT_EQ(device.Staged(serial::Write{0, first}).image_bytes, next.image.size());
  const ByteView part = ByteView(next.envelope).first(100);
  EXPECT_EQ(device.Staged(serial::Envelope{0, part}).envelope_bytes, next.envelope.size());
  EXPECT_EQ(device.WhyNot(serial::Seal{}), Reason::kNone);
  EXPECT_EQ(device.WhyNot(serial::Seal{}), Reason::kNone);
  EXPECT_EQ(device.Staged(Device::BeginOf(next)).envelope_bytes, next.envelope.size());
  EXPECT_EQ(device.Staged(serial::Write{0, first}).image_bytes, next.image.size());
  EXPECT_EQ(device.Staged(serial::Envelope{0, part}).envelope_bytes, next.envelope.size());
  EXPECT_EQ(device.slot_b.erases(), erases) << "nothing was written again";
}

TEST_F(Requests, BeginErasesTheOldEnvelopeFirst) {
  Seal(next);
  EXPECT_TRUE(EnvelopeIsThere());
  const Release other = MakeRelease(3);
  EXPECT_EQ(device.Staged(Device::BeginOf(other)).image_bytes, 0U);
  EXPECT_FALSE(EnvelopeIsThere());
  EXPECT_EQ(device.WhyNot(serial::Pending{12, next.digest}), Reason::kConflict) << "no longer sealed";
}

TEST_F(Requests, BeginRefusesWhatDoesNotFit) {
  serial::Begin begin = Device::BeginOf(next);
  begin.image_bytes = std::uint64_t{test::kSectors} * test::kSectorBytes - kSlotTrailerBytes + 1;
  EXPECT_EQ(device.WhyNot(begin), Reason::kImageTooLarge);
  begin.image_bytes = 0;
  EXPECT_EQ(device.WhyNot(begin), Reason::kImageTooLarge);
  begin = Device::BeginOf(next);
  begin.envelope_bytes = kSlotEnvelopeBytesMax + 1;
  EXPECT_EQ(device.WhyNot(begin), Reason::kTooLarge);
  begin.envelope_bytes = 0;
  EXPECT_EQ(device.WhyNot(begin), Reason::kTooLarge);
}

TEST_F(Requests, NothingIsWrittenWhileASlotIsPending) {
  Seal(next);
  ASSERT_EQ(device.WhyNot(serial::Pending{12, next.digest}), Reason::kNone);
  const auto before = device.slot_b.Save().bits;
  EXPECT_EQ(device.WhyNot(Device::BeginOf(MakeRelease(3))), Reason::kNotAllowed);
  EXPECT_EQ(device.WhyNot(serial::Write{0, ByteView(running.image).first(10)}), Reason::kNotAllowed);
  EXPECT_EQ(device.WhyNot(serial::Seal{}), Reason::kNotAllowed);
  EXPECT_EQ(device.slot_b.Save().bits, before);
}

TEST_F(Requests, WritesGoOnWhereTheyEndedOrAtTheStartOfASector) {
  const ByteView image = next.image;
  EXPECT_EQ(device.WhyNot(serial::Write{0, image.first(10)}), Reason::kConflict) << "before Begin";
  device.Staged(Device::BeginOf(next));
  EXPECT_EQ(device.WhyNot(serial::Write{1, image.first(10)}), Reason::kConflict) << "a gap";
  EXPECT_EQ(device.Staged(serial::Write{0, image.first(1000)}).image_bytes, 1000U);
  EXPECT_EQ(device.WhyNot(serial::Write{500, image.first(1000)}), Reason::kConflict) << "other bytes inside";
  EXPECT_EQ(device.Staged(serial::Write{4096, image.subspan(4096, 1000)}).image_bytes, 5096U) << "a later sector";
  EXPECT_EQ(device.Staged(serial::Write{0, image.subspan(1, 1000)}).image_bytes, 1000U) << "anew from the start";
  EXPECT_EQ(device.WhyNot(serial::Write{next.image.size(), image.first(1)}), Reason::kTooLarge);
  EXPECT_EQ(device.WhyNot(serial::Write{UINT64_MAX, image.first(2)}), Reason::kTooLarge);
}

TEST_F(Requests, FlashThatDoesNotHoldWhatWasWrittenIsFoundAtOnce) {
  device.slot_b.MakeBad(700);
  device.Staged(Device::BeginOf(next));
  EXPECT_EQ(device.WhyNot(serial::Write{0, ByteView(next.image).first(1000)}), Reason::kSlotWrite);
}

TEST_F(Requests, AGatewayFindsWhatIsStagedAfterAResetAndGoesOn) {
  device.Staged(Device::BeginOf(next));
  for (std::size_t at = 0; at < 6000; at += 1000) {
    device.Staged(serial::Write{at, ByteView(next.image).subspan(at, 1000)});
  }
  device.Start(ResetCause::kPower);
  EXPECT_EQ(device.Staged(Device::BeginOf(next)).image_bytes, 0U);
  const serial::Answer hashed = device.Ask(serial::HashStaged{0, 4096});
  EXPECT_EQ(std::get<serial::Hashed>(hashed).digest, crypto::Hash(ByteView(next.image).first(4096)));
  device.PutImage(next, 4096);
  device.PutEnvelope(next);
  EXPECT_EQ(device.WhyNot(serial::Seal{}), Reason::kNone);
}

TEST_F(Requests, HashStagedHasLimits) {
  const std::uint64_t slot_bytes = device.slot_b.bytes();
  EXPECT_EQ(device.WhyNot(serial::HashStaged{0, 0}), Reason::kInvalidArgument);
  EXPECT_EQ(device.WhyNot(serial::HashStaged{0, serial::kMaxHashBytes + 1}), Reason::kInvalidArgument);
  EXPECT_EQ(device.WhyNot(serial::HashStaged{slot_bytes, 1}), Reason::kInvalidArgument);
  EXPECT_EQ(device.WhyNot(serial::HashStaged{slot_bytes - 1, 1}), Reason::kNone);
  device.slot_b.MakeUnreadable();
  EXPECT_EQ(device.WhyNot(serial::HashStaged{0, 1}), Reason::kIo);
}

TEST_F(Requests, EnvelopePartsComeInOrder) {
  const ByteView envelope = next.envelope;
  EXPECT_EQ(device.WhyNot(serial::Envelope{0, envelope.first(10)}), Reason::kConflict) << "before Begin";
  device.Staged(Device::BeginOf(next));
  EXPECT_EQ(device.WhyNot(serial::Envelope{1, envelope.first(10)}), Reason::kConflict);
  EXPECT_EQ(device.Staged(serial::Envelope{0, envelope.first(10)}).envelope_bytes, 10U);
  EXPECT_EQ(device.WhyNot(serial::Envelope{0, envelope.subspan(1, 10)}), Reason::kConflict) << "other bytes";
  const auto size = static_cast<std::uint32_t>(envelope.size());
  EXPECT_EQ(device.WhyNot(serial::Envelope{size, envelope.first(1)}), Reason::kTooLarge);
}

// What Seal says about a release, asked twice.
#define EXPECT_SEAL_REFUSES(release, reason)          \
  do {                                                \
    device.Stage(release);                            \
    EXPECT_EQ(device.WhyNot(serial::Seal{}), reason); \
    EXPECT_EQ(device.WhyNot(serial::Seal{}), reason); \
    EXPECT_FALSE(EnvelopeIsThere());                  \
  } while (false)

TEST_F(Requests, SealNeedsBeginAndAWholeEnvelope) {
  EXPECT_EQ(device.WhyNot(serial::Seal{}), Reason::kConflict);
  device.Staged(Device::BeginOf(next));
  EXPECT_EQ(device.WhyNot(serial::Seal{}), Reason::kConflict);
}

TEST_F(Requests, SealRefusesWhatTheOwnKeysDidNotSign) {
  const test::TestKey stranger("stranger");
  EXPECT_SEAL_REFUSES(test::Sign(next.image, test::ManifestOf(next.image, 2), stranger), Reason::kUnknownKey);
  Release altered = next;
  altered.envelope.back() ^= 1;
  EXPECT_SEAL_REFUSES(altered, Reason::kDigestMismatch);
  Release noise = next;
  noise.envelope[0] ^= 0xFF;
  EXPECT_SEAL_REFUSES(noise, Reason::kMalformedManifest);
}

TEST_F(Requests, SealRefusesWhatIsNotForThisDevice) {
  Manifest manifest = test::ManifestOf(next.image, 2);
  manifest.cls = {9};
  EXPECT_SEAL_REFUSES(test::Sign(next.image, manifest), Reason::kWrongClass);
  manifest = test::ManifestOf(next.image, 2);
  manifest.vendor = {9};
  EXPECT_SEAL_REFUSES(test::Sign(next.image, manifest), Reason::kWrongVendor);
  manifest = test::ManifestOf(next.image, 2);
  manifest.min_board_revision = 3;
  EXPECT_SEAL_REFUSES(test::Sign(next.image, manifest), Reason::kWrongBoard);
  manifest = test::ManifestOf(next.image, 2);
  manifest.slot = 0;
  EXPECT_SEAL_REFUSES(test::Sign(next.image, manifest), Reason::kWrongSlot);
  manifest = test::ManifestOf(next.image, 2);
  manifest.security_version = 0;
  EXPECT_SEAL_REFUSES(test::Sign(next.image, manifest), Reason::kSecurityVersion);
}

TEST_F(Requests, SealRefusesADowngradeAndWhatRunsAlready) {
  const Bytes old_image = HostImage(Behaviour::kGood, 9000, 0x77);
  EXPECT_SEAL_REFUSES(test::Sign(old_image, test::ManifestOf(old_image, 0)), Reason::kDowngrade);
  EXPECT_SEAL_REFUSES(running, Reason::kAlreadyRunning);
}

TEST_F(Requests, SealRefusesAnImageThatIsNotTheSignedOne) {
  Release altered = next;
  altered.image[5000] ^= 1;
  EXPECT_SEAL_REFUSES(altered, Reason::kImageDigest);
}

TEST_F(Requests, SealRefusesAnotherManifestThanThatOfBegin) {
  Release other = next;
  other.digest[0] ^= 1;
  EXPECT_SEAL_REFUSES(other, Reason::kDigestMismatch);
  Release longer = next;
  longer.image.push_back(0);
  EXPECT_SEAL_REFUSES(longer, Reason::kSizeMismatch);
}

TEST_F(Requests, AfterARefusedSealTheNextBeginStartsAnew) {
  Release altered = next;
  altered.image[5000] ^= 1;
  EXPECT_SEAL_REFUSES(altered, Reason::kImageDigest);
  EXPECT_EQ(device.WhyNot(serial::Write{0, ByteView(next.image).subspan(1, 5)}), Reason::kConflict);
  Seal(next);
}

TEST_F(Requests, PendingNeedsWhatWasSealedInThisBoot) {
  EXPECT_EQ(device.WhyNot(serial::Pending{12, next.digest}), Reason::kConflict);
  Seal(next);
  EXPECT_EQ(device.WhyNot(serial::Pending{12, running.digest}), Reason::kConflict);
  device.Start(ResetCause::kSoftware);
  EXPECT_EQ(device.WhyNot(serial::Pending{12, next.digest}), Reason::kConflict) << "sealed before the reset";
  EXPECT_FALSE(device.record().pending.has_value());
}

TEST_F(Requests, DebtsAreSettledByNumber) {
  EXPECT_EQ(device.WhyNot(serial::SettleRollback{5, 6}), Reason::kNotAllowed);
  BootRecord record = device.record();
  record.owed = true;
  record.trial = 5;
  record.job = 6;
  record.emergency_reason = Reason::kRecordLost;
  record.emergency_count = 2;
  ASSERT_TRUE(device.machine.record().Commit(record).has_value());
  Seal(next);
  EXPECT_EQ(device.WhyNot(serial::Pending{12, next.digest}), Reason::kNotAllowed) << "F1: a rollback is owed";
  EXPECT_EQ(device.WhyNot(serial::SettleRollback{4, 6}), Reason::kNotAllowed);
  EXPECT_EQ(device.WhyNot(serial::SettleRollback{5, 6}), Reason::kNone);
  EXPECT_FALSE(device.record().owed);
  EXPECT_EQ(device.WhyNot(serial::SettleRollback{5, 6}), Reason::kNone) << "asked again";
  EXPECT_EQ(device.WhyNot(serial::SettleEmergency{1}), Reason::kNotAllowed);
  EXPECT_EQ(device.WhyNot(serial::SettleEmergency{2}), Reason::kNone);
  EXPECT_EQ(device.record().emergency_reason, Reason::kNone);
  EXPECT_EQ(device.WhyNot(serial::SettleEmergency{2}), Reason::kNone) << "asked again";
  EXPECT_EQ(device.WhyNot(serial::Pending{12, next.digest}), Reason::kNone);
}

TEST_F(Requests, TheFloorRisesToTheRunningImageAtMost) {
  EXPECT_EQ(device.WhyNot(serial::RaiseFloor{3}), Reason::kNotAllowed);
  EXPECT_EQ(device.WhyNot(serial::RaiseFloor{2}), Reason::kNone);
  EXPECT_EQ(device.record().floor, 2U);
  EXPECT_EQ(device.WhyNot(serial::RaiseFloor{2}), Reason::kNone) << "asked again";
  EXPECT_EQ(device.WhyNot(serial::RaiseFloor{1}), Reason::kNotAllowed);
  Manifest manifest = test::ManifestOf(next.image, 2);
  manifest.security_version = 1;
  EXPECT_SEAL_REFUSES(test::Sign(next.image, manifest), Reason::kSecurityVersion);
}

TEST_F(Requests, ARecordThatCannotBeWrittenIsTold) {
  Seal(next);
  device.record_flash.MakeUnwritable();
  EXPECT_EQ(device.WhyNot(serial::Pending{12, next.digest}), Reason::kIo);
  EXPECT_FALSE(device.record().pending.has_value());
}

}  // namespace
}  // namespace pawl::firmware
