#include "trust/manifest/cbor.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/text.h"

namespace pawl::cbor {
namespace {

std::vector<std::uint8_t> Hex(std::string_view hex) {
  std::vector<std::uint8_t> bytes(hex.size() / 2);
  EXPECT_TRUE(HexDecode(hex, bytes).has_value()) << hex;
  return bytes;
}

bool IsDeterministic(std::string_view hex) { return CheckDeterministic(Hex(hex)).has_value(); }

std::string Repeat(std::string_view piece, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += piece;
  return text;
}

TEST(Cbor, HeadsAreWrittenAndReadInTheirShortestForm) {
  struct Row {
    Major major;
    std::uint64_t value;
    const char* hex;
  };
  for (const Row& row :
       {Row{Major::kUint, 0, "00"}, Row{Major::kUint, 23, "17"}, Row{Major::kUint, 24, "1818"},
        Row{Major::kUint, 255, "18ff"}, Row{Major::kUint, 256, "190100"}, Row{Major::kUint, 65535, "19ffff"},
        Row{Major::kUint, 65536, "1a00010000"}, Row{Major::kUint, 4294967295, "1affffffff"},
        Row{Major::kUint, 4294967296, "1b0000000100000000"}, Row{Major::kUint, ~std::uint64_t{0}, "1bffffffffffffffff"},
        Row{Major::kNegative, 0, "20"}, Row{Major::kNegative, 23, "37"}, Row{Major::kNegative, 24, "3818"},
        Row{Major::kNegative, 256, "390100"}, Row{Major::kArray, 4, "84"}, Row{Major::kMap, 24, "b818"},
        Row{Major::kTag, 107, "d86b"}}) {
    std::array<std::uint8_t, 9> bytes{};
    const ByteView written = ByteView(bytes).first(WriteHead(row.major, row.value, bytes));
    EXPECT_TRUE(Equal(written, Hex(row.hex))) << row.hex;
    Cursor cursor(written);
    EXPECT_EQ(cursor.Head(row.major), row.value);
    EXPECT_TRUE(cursor.Finish(Reason::kMalformed, "test").has_value()) << row.hex;
    for (std::size_t size = 0; size < written.size(); ++size) {
      Cursor part(written.first(size));
      part.Head(row.major);
      EXPECT_FALSE(part.ok()) << row.hex << " " << size;
    }
    for (unsigned other = 0; other < 8; ++other) {
      Cursor wrong(written);
      wrong.Head(static_cast<Major>(other));
      EXPECT_EQ(wrong.ok(), other == static_cast<unsigned>(row.major)) << row.hex << " " << other;
    }
  }
}

TEST(Cbor, R1_AHeadThatIsNotTheShortestIsRefused) {
  for (const char* hex : {"1800", "1817", "190000", "1900ff", "1a00000000", "1a0000ffff", "1b0000000000000000",
                          "1b00000000ffffffff", "3817", "5801aa", "780161", "9800", "b800", "d81200", "f800", "f81f"}) {
    EXPECT_FALSE(IsDeterministic(hex)) << hex;
  }
}

TEST(Cbor, R1_IndefiniteLengthsBreaksAndReservedHeadsAreRefused) {
  for (int major = 0; major < 8; ++major) {
    for (int info = 28; info < 32; ++info) {
      const std::vector<std::uint8_t> bytes = {static_cast<std::uint8_t>(major << 5 | info), 0xff, 0xff};
      EXPECT_FALSE(CheckDeterministic(bytes).has_value()) << major << " " << info;
    }
  }
  EXPECT_FALSE(IsDeterministic("9f01ff"));
  EXPECT_FALSE(IsDeterministic("bf0101ff"));
  EXPECT_FALSE(IsDeterministic("5f4101ff"));
}

TEST(Cbor, R1_FloatsAreRefused) {
  EXPECT_FALSE(IsDeterministic("f93c00"));
  EXPECT_FALSE(IsDeterministic("fa47c35000"));
  EXPECT_FALSE(IsDeterministic("fb3ff199999999999a"));
  EXPECT_TRUE(IsDeterministic("f4"));
  EXPECT_TRUE(IsDeterministic("f6"));
  EXPECT_TRUE(IsDeterministic("f820"));
}

TEST(Cbor, R1_MapKeysMustBeSortedAndUnique) {
  EXPECT_TRUE(IsDeterministic("a201000200"));
  EXPECT_FALSE(IsDeterministic("a202000100"));
  EXPECT_FALSE(IsDeterministic("a201000100"));
  EXPECT_TRUE(IsDeterministic("a21864002000")) << "RFC 8949 sorts by bytes: 18 64 before 20, though it is longer";
  EXPECT_FALSE(IsDeterministic("a22000186400"));
}

TEST(Cbor, R1_NestingEndsAtDepthEight) {
  EXPECT_TRUE(IsDeterministic(Repeat("81", 7) + "00"));
  EXPECT_FALSE(IsDeterministic(Repeat("81", 8) + "00"));
  EXPECT_FALSE(IsDeterministic(Repeat("c1", 8) + "00"));
  EXPECT_FALSE(IsDeterministic(Repeat("a100", 8) + "00"));
  EXPECT_FALSE(IsDeterministic(Repeat("81", 8000) + "00"));
}

TEST(Cbor, R1_TrailingBytesAndTruncationAreRefused) {
  const std::string item = "83016161a14102820304";
  ASSERT_TRUE(IsDeterministic(item));
  EXPECT_FALSE(IsDeterministic(item + "00"));
  for (std::size_t size = 0; size < item.size(); size += 2) {
    EXPECT_FALSE(IsDeterministic(std::string_view(item).substr(0, size))) << size;
  }
}

TEST(Cbor, ACountOrLengthThatPromisesMoreThanThereIsRunsNoLoop) {
  for (const char* hex : {"9bffffffffffffffff", "bbffffffffffffffff", "5bffffffffffffffff", "7bffffffffffffffff",
                          "9a7fffffff00", "5a0001000000"}) {
    EXPECT_FALSE(IsDeterministic(hex)) << hex;
  }
}

TEST(Cursor, TellsTheFirstFailureWithItsOffsetAndStaysThere) {
  const auto bytes = Hex("8301024103");
  Cursor cursor(bytes);
  EXPECT_EQ(cursor.Count(Major::kArray, 3, 3, "another count"), 3U);
  cursor.Expect(1);
  cursor.Expect(7);
  EXPECT_FALSE(cursor.ok());
  EXPECT_EQ(cursor.Head(Major::kUint), 0U);
  EXPECT_EQ(cursor.Count(Major::kArray, 0, 9, "another count"), 0U);
  cursor.Leave(cursor.Enter(Major::kBytes));
  EXPECT_TRUE(cursor.Rest().empty());
  const Status status = cursor.Finish(Reason::kMalformedManifest, "thing");
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().reason, Reason::kMalformedManifest);
  EXPECT_EQ(status.error().detail.view(), "thing: another value than the template's (R4) at byte 2");
}

TEST(Cursor, ACountOutsideItsLimitsFailsAndIsTheLeast) {
  for (const char* hex : {"81", "86", "a2", "8c", "9801", "9bffffffffffffffff", ""}) {
    const auto bytes = Hex(hex);
    Cursor cursor(bytes);
    EXPECT_EQ(cursor.Count(Major::kArray, 2, 5, "another count"), 2U) << hex;
    EXPECT_FALSE(cursor.ok()) << hex;
  }
}

TEST(Cursor, LeavesAByteStringOnlyAtItsEnd) {
  const auto bytes = Hex("42010203");
  Cursor whole(bytes);
  const std::uint8_t* outer = whole.Enter(Major::kBytes);
  whole.Expect(1);
  whole.Expect(2);
  whole.Leave(outer);
  whole.Expect(3);
  EXPECT_TRUE(whole.Finish(Reason::kMalformed, "test").has_value());
  Cursor part(bytes);
  const std::uint8_t* end = part.Enter(Major::kBytes);
  part.Expect(1);
  part.Leave(end);
  EXPECT_FALSE(part.ok());
}

TEST(Cursor, DoesNotReadBeyondTheByteStringItIsIn) {
  const auto bytes = Hex("41420102");  // the inner head promises two bytes, which stand only outside the outer string
  Cursor cursor(bytes);
  const std::uint8_t* outer = cursor.Enter(Major::kBytes);
  const std::uint8_t* inner = cursor.Enter(Major::kBytes);
  EXPECT_TRUE(cursor.Rest().empty());
  EXPECT_FALSE(cursor.ok());
  cursor.Leave(inner);
  cursor.Leave(outer);
  EXPECT_FALSE(cursor.Finish(Reason::kMalformed, "test").has_value());
}

TEST(Cursor, AnInputOverItsLimitIsRefusedUnread) {
  const auto bytes = Hex("0102");
  Cursor cursor(bytes, 1, "over 1 byte");
  cursor.Expect(1);
  cursor.Expect(2);
  EXPECT_EQ(cursor.Finish(Reason::kMalformed, "thing").error().detail.view(), "thing: over 1 byte");
}

}  // namespace
}  // namespace pawl::cbor
