#include "slots/boot_record.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/text.h"

namespace pawl {
namespace {

BootRecord Example() {
  BootRecord record;
  record.sequence = 0x01020304;
  record.confirmed = Slot::kB;
  record.proven = true;
  record.pending = Slot::kA;
  record.started = true;
  record.attempts_left = 2;
  record.power_attempts_left = 7;
  record.reason = Reason::kSelfTestFailed;
  record.trial = 5;
  record.job = 0x1122334455667788;
  record.owed = false;
  record.emergency_reason = Reason::kConfirmedInvalid;
  record.emergency_count = 3;
  record.floor = 9;
  for (std::size_t i = 0; i < record.trial_digest.size(); ++i) record.trial_digest[i] = static_cast<std::uint8_t>(i);
  record.detail = "connectivity";
  return record;
}

std::string Hex(ByteView bytes) {
  std::string text(2 * bytes.size(), ' ');
  HexEncode(bytes, text);
  return text;
}

void FixCrc(RecordCell& cell) { StoreLe(MutableBytes(cell).subspan(124, 4), Crc32(ByteView(cell).first(124))); }

TEST(RecordCell, HasTheGoldenBytesOfTheSpecification) {
  EXPECT_EQ(Hex(EncodeRecord(Example())),
            "50575231"  // PWR1
            "04030201"
            "a5a5a5a5"  // confirmed B
            "66666666"  // proven
            "5a5a5a5a"  // pending A
            "66666666"  // started
            "02071e00"  // attempts, power attempts, reason 30
            "05000000"
            "8877665544332211"
            "99999999"  // not owed
            "29000300"  // emergency 41, count 3
            "09000000"
            "ffffffffffffffffffffffff"
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
            "636f6e6e6563746976697479ffffffffffffffffffffffffffffffff"
            "8783499b");
}

TEST(RecordCell, DecodesToWhatWasEncoded) {
  const auto back = DecodeRecord(EncodeRecord(Example()));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(*back, Example());
  EXPECT_EQ(*DecodeRecord(EncodeRecord(BootRecord{})), BootRecord{});
}

TEST(RecordCell, EverySingleAndDoubleBitFlipIsRefused) {
  const RecordCell genuine = EncodeRecord(Example());
  for (std::size_t bit = 0; bit < 8 * kRecordCellBytes; ++bit) {
    RecordCell cell = genuine;
    cell[bit / 8] = static_cast<std::uint8_t>(cell[bit / 8] ^ (1U << (bit % 8)));
    EXPECT_FALSE(DecodeRecord(cell).has_value()) << bit;
    for (std::size_t second = bit + 1; second < 8 * kRecordCellBytes; second += 7) {
      RecordCell twice = cell;
      twice[second / 8] = static_cast<std::uint8_t>(twice[second / 8] ^ (1U << (second % 8)));
      ASSERT_FALSE(DecodeRecord(twice).has_value()) << bit << " " << second;
    }
  }
}

TEST(RecordCell, AWordThatIsNoCodewordIsRefusedEvenWithAGoodCrc) {
  const RecordCell genuine = EncodeRecord(Example());
  for (const std::size_t at : {8U, 12U, 16U, 20U, 40U}) {
    for (unsigned bit = 0; bit < 32; ++bit) {
      RecordCell cell = genuine;
      cell[at + bit / 8] = static_cast<std::uint8_t>(cell[at + bit / 8] ^ (1U << (bit % 8)));
      FixCrc(cell);
      EXPECT_FALSE(DecodeRecord(cell).has_value()) << at << " " << bit;
    }
    for (const std::uint32_t word : {0U, 0xFFFFFFFFU, 1U, 0x5A5A5A5AU, 0x66666666U, 0x3C3C3C3CU}) {
      RecordCell cell = genuine;
      StoreLe(MutableBytes(cell).subspan(at, 4), word);
      FixCrc(cell);
      const bool slot_field = at == 8 || at == 16;
      const bool allowed = slot_field ? word == 0x5A5A5A5AU || (at == 16 && word == 0x3C3C3C3CU) : word == 0x66666666U;
      EXPECT_EQ(DecodeRecord(cell).has_value(), allowed) << at << " " << word;
    }
  }
}

TEST(RecordCell, ReservedBytesAndTheRestOfTheDetailMustBeBlank) {
  for (const std::size_t at : {52U, 63U, 123U}) {
    RecordCell cell = EncodeRecord(Example());
    cell[at] = 0x41;
    FixCrc(cell);
    EXPECT_FALSE(DecodeRecord(cell).has_value()) << at;
  }
}

TEST(RecordCell, AnotherVersionIsRefusedByName) {
  RecordCell cell = EncodeRecord(Example());
  cell[3] = '2';
  FixCrc(cell);
  const auto record = DecodeRecord(cell);
  ASSERT_FALSE(record.has_value());
  EXPECT_EQ(record.error().reason, Reason::kUnsupportedVersion);
}

TEST(RecordCell, CodewordsLieFarFromEachOtherAndFromErasedAndKilledFlash) {
  const std::vector<std::uint32_t> words = {0x5A5A5A5A, 0xA5A5A5A5, 0x3C3C3C3C, 0x66666666, 0x99999999, 0, 0xFFFFFFFF};
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_GE(std::popcount(words[i] ^ words[j]), 16) << i << " " << j;
  }
}

TEST(RecordCell, ADetailThatIsNotPrintableStillGivesAValidCell) {
  BootRecord record = Example();
  record.detail = "bad\n\xC3\x9F";
  const auto back = DecodeRecord(EncodeRecord(record));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->detail.view(), "bad???");
}

TEST(RecordCell, ANewRecordThatNobodySealedIsNoCell) {
  const BootRecord record;  // the store takes it for what no cell is equal to
  EXPECT_FALSE(CheckRecord(record).has_value());
  EXPECT_TRUE(CheckRecord(*DecodeRecord(EncodeRecord(record))).has_value());
}

// A word in RAM that a fault has changed: never read as yes, never as another slot, and never written.
TEST(RecordCell, AWordThatTheMemoryLostIsNeitherYesNorSealedAsValid) {
  for (const std::size_t at : {8U, 12U, 16U, 20U, 40U}) {
    for (unsigned bit = 0; bit < 32; ++bit) {
      BootRecord record = Example();
      std::uint8_t& byte = BytesOf(record)[at + bit / 8];
      byte = static_cast<std::uint8_t>(byte ^ (1U << (bit % 8)));
      EXPECT_FALSE(record != Example() && (record.owed || (at == 12 && record.proven) || (at == 20 && record.started)));
      Seal(record);
      EXPECT_FALSE(CheckRecord(record).has_value()) << at << " " << bit;
    }
  }
}

TEST(RecordWords, BehaveAsTheValuesThatTheyStandFor) {
  BootRecord record;
  EXPECT_FALSE(record.pending.has_value());
  EXPECT_EQ(std::optional<Slot>(record.pending), std::nullopt);
  for (const Slot slot : {Slot::kA, Slot::kB}) {
    record.confirmed = slot;
    EXPECT_EQ(record.confirmed, slot);
    record.pending = slot;
    EXPECT_TRUE(record.pending && *record.pending == slot && record.pending == slot && record.pending != Other(slot));
    EXPECT_EQ(std::optional<Slot>(record.pending), slot);
    record.pending = std::nullopt;
    EXPECT_TRUE(!record.pending && record.pending != slot);
    record.pending = std::optional<Slot>(slot);
    EXPECT_EQ(record.pending, slot);
    record.pending.reset();
    EXPECT_FALSE(record.pending);
  }
  for (const bool value : {false, true}) {
    record.proven = value;
    EXPECT_EQ(bool{record.proven}, value);
  }
  static_assert(!std::is_convertible_v<RecordFlag, int> && !std::is_constructible_v<RecordFlag, int>);
}

TEST(RecordText, KeepsUpTo28PrintableCharacters) {
  RecordText text;
  EXPECT_TRUE(text.empty() && text.view().empty());
  text.append("abc").append_number(12);
  EXPECT_EQ(text.view(), "abc12");
  EXPECT_EQ(text, RecordText("abc12"));
  text.append("\n\x7F\xFF");
  EXPECT_EQ(text.view(), "abc12???");
  text.append("abcdefghijklmnopqrstuvwxyz");
  EXPECT_EQ(text.view(), "abc12???abcdefghijklmnopqrst");
  EXPECT_EQ(text.size(), 28U);
  text.assign("x");
  EXPECT_EQ(text.view(), "x");
  text = {};
  EXPECT_TRUE(text.empty());
}

// --- Transitions: every combination of what they look at, against the table's conditions said once more. ---

struct Combination {
  BootRecord record;
  Slot running;
};

std::vector<Combination> AllCombinations() {
  std::vector<Combination> all;
  const std::optional<Slot> pendings[] = {std::nullopt, Slot::kA, Slot::kB};
  for (const Slot running : {Slot::kA, Slot::kB}) {
    for (const Slot confirmed : {Slot::kA, Slot::kB}) {
      for (const auto& pending : pendings) {
        for (unsigned bits = 0; bits < 16; ++bits) {
          for (const Reason emergency : {Reason::kNone, Reason::kRecordLost}) {
            BootRecord record = Example();
            record.confirmed = confirmed;
            record.pending = pending;
            record.proven = (bits & 1) != 0;
            record.started = (bits & 2) != 0;
            record.owed = (bits & 4) != 0;
            record.reason = (bits & 8) != 0 ? Reason::kWatchdog : Reason::kNone;
            record.emergency_reason = emergency;
            all.push_back({record, running});
          }
        }
      }
    }
  }
  return all;
}

void ExpectRefusedByName(const Result<BootRecord>& result, std::string_view row) {
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().reason, Reason::kNotAllowed);
  EXPECT_TRUE(result.error().detail.view().starts_with(row)) << result.error().detail.view();
}

TEST(Transition, F1SetsPendingOnlyFromTheConfirmedSlotWithNothingPendingOrOwed) {
  for (const auto& [record, running] : AllCombinations()) {
    for (const Slot slot : {Slot::kA, Slot::kB}) {
      const Digest digest{7};
      const auto next = SetPending(record, running, {.slot = slot, .job = 99, .manifest_digest = digest});
      const bool allowed =
          running == record.confirmed && !record.pending && !record.owed && slot == Other(record.confirmed);
      ASSERT_EQ(next.has_value(), allowed);
      if (!allowed) {
        ExpectRefusedByName(next, "F1");
        continue;
      }
      BootRecord expected = record;
      expected.pending = slot;
      expected.started = false;
      expected.attempts_left = 3;
      expected.power_attempts_left = 8;
      expected.reason = Reason::kNone;
      expected.detail = {};
      expected.trial = record.trial + 1;
      expected.job = 99;
      expected.trial_digest = digest;
      EXPECT_EQ(*next, expected);
    }
  }
}

TEST(Transition, F2ConfirmsARunningTrialOrAnUnprovenConfirmedSlotAndNothingElse) {
  for (const auto& [record, running] : AllCombinations()) {
    const auto next = Confirm(record, running);
    const bool trial = record.pending == running && record.started && record.reason == Reason::kNone;
    const bool unproven = running == record.confirmed && !record.pending && !record.proven;
    ASSERT_EQ(next.has_value(), trial || unproven);
    if (!next) {
      ExpectRefusedByName(next, "F2");
      continue;
    }
    BootRecord expected = record;
    expected.confirmed = running;
    expected.proven = true;
    expected.pending = std::nullopt;
    EXPECT_EQ(*next, expected);
    ExpectRefusedByName(Confirm(*next, running), "F2");  // twice is refused
  }
}

TEST(Transition, F3FailsTheRunningTrialOnce) {
  for (const auto& [record, running] : AllCombinations()) {
    const auto next = FailTrial(record, running, Reason::kSelfTestFailed, "radio\x07 does not answer, at all");
    const bool allowed = record.pending == running && record.reason == Reason::kNone;
    ASSERT_EQ(next.has_value(), allowed);
    if (!allowed) {
      ExpectRefusedByName(next, "F3");
      continue;
    }
    BootRecord expected = record;
    expected.reason = Reason::kSelfTestFailed;
    expected.detail = "radio? does not answer, at a";  // 28 printable characters
    EXPECT_EQ(*next, expected);
    ExpectRefusedByName(FailTrial(*next, running, Reason::kSelfTestFailed, "again"), "F3");
    ExpectRefusedByName(FailTrial(record, running, Reason::kNone, "no reason"), "F3");
  }
}

TEST(Transition, F4SettlesOnlyTheDebtOfThatVeryTrialAndJob) {
  for (const auto& [record, running] : AllCombinations()) {
    for (const std::uint32_t trial : {record.trial, record.trial - 1}) {
      for (const std::uint64_t job : {record.job, record.job + 1}) {
        const auto next = SettleRollback(record, trial, job);
        const bool allowed = record.owed && trial == record.trial && job == record.job;
        ASSERT_EQ(next.has_value(), allowed);
        if (!allowed) {
          ExpectRefusedByName(next, "F4");
          continue;
        }
        BootRecord expected = record;
        expected.owed = false;
        EXPECT_EQ(*next, expected);
      }
    }
  }
}

TEST(Transition, F5SettlesOnlyTheEmergencyOfThatCount) {
  for (const auto& [record, running] : AllCombinations()) {
    for (const std::uint16_t count : {std::uint16_t{3}, std::uint16_t{2}}) {
      const auto next = SettleEmergency(record, count);
      const bool allowed = record.emergency_reason != Reason::kNone && count == 3;
      ASSERT_EQ(next.has_value(), allowed);
      if (!allowed) {
        ExpectRefusedByName(next, "F5");
        continue;
      }
      BootRecord expected = record;
      expected.emergency_reason = Reason::kNone;
      EXPECT_EQ(*next, expected);
    }
  }
}

TEST(Transition, F6RaisesTheFloorUpToTheRunningProvenImageAndNeverLowersIt) {
  for (const auto& [record, running] : AllCombinations()) {
    for (std::uint32_t value = 8; value <= 12; ++value) {
      for (std::uint32_t sv = 8; sv <= 12; ++sv) {
        const auto next = RaiseFloor(record, running, value, sv);
        const bool allowed =
            running == record.confirmed && record.proven && !record.pending && value > record.floor && value <= sv;
        ASSERT_EQ(next.has_value(), allowed);
        if (!allowed) {
          ExpectRefusedByName(next, "F6");
          continue;
        }
        BootRecord expected = record;
        expected.floor = value;
        EXPECT_EQ(*next, expected);
      }
    }
  }
}

TEST(Transition, ASlotIsWrittenOnlyIfItNeitherRunsNorIsConfirmedAndNothingIsPending) {
  for (const auto& [record, running] : AllCombinations()) {
    for (const Slot slot : {Slot::kA, Slot::kB}) {
      EXPECT_EQ(MayWriteSlot(record, running, slot), slot != running && slot != record.confirmed && !record.pending);
    }
  }
}

}  // namespace
}  // namespace pawl
