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

TEST(Cbor, IntegersAreWrittenAndReadInTheirShortestForm) {
  const std::vector<std::pair<std::int64_t, std::string>> vectors = {{0, "00"},
                                                                     {23, "17"},
                                                                     {24, "1818"},
                                                                     {255, "18ff"},
                                                                     {256, "190100"},
                                                                     {65535, "19ffff"},
                                                                     {65536, "1a00010000"},
                                                                     {4294967295, "1affffffff"},
                                                                     {4294967296, "1b0000000100000000"},
                                                                     {-1, "20"},
                                                                     {-24, "37"},
                                                                     {-25, "3818"},
                                                                     {-256, "38ff"},
                                                                     {-257, "390100"},
                                                                     {-65537, "3a00010000"}};
  for (const auto& [value, hex] : vectors) {
    std::array<std::uint8_t, 9> bytes{};
    Writer writer(bytes);
    writer.Int(value);
    const ByteView written = ByteView(bytes).first(writer.Finish().value());
    EXPECT_TRUE(Equal(written, Hex(hex))) << value;
    Reader reader(written);
    reader.Expect(value);
    EXPECT_TRUE(reader.Finish(Reason::kMalformed, "test").has_value()) << value;
    EXPECT_TRUE(IsDeterministic(hex)) << value;
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

TEST(Reader, TellsTheFirstFailureWithItsOffsetAndStaysThere) {
  const auto bytes = Hex("8301024103");
  Reader reader(bytes);
  reader.Array(3);
  reader.Expect(1);
  reader.Expect(7);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.Uint(kMaxUint53), 0U);
  EXPECT_EQ(reader.Array(), 0U);
  EXPECT_TRUE(reader.Bytes().empty());
  const Status status = reader.Finish(Reason::kMalformedManifest, "thing");
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().reason, Reason::kMalformedManifest);
  EXPECT_EQ(status.error().detail.view(), "thing: another value than the template's (R4) at byte 2");
}

TEST(Reader, LeavesAByteStringOnlyAtItsEnd) {
  const auto bytes = Hex("42010203");
  Reader whole(bytes);
  const std::size_t outer = whole.Enter();
  whole.Expect(1);
  whole.Expect(2);
  whole.Leave(outer);
  whole.Expect(3);
  EXPECT_TRUE(whole.Finish(Reason::kMalformed, "test").has_value());
  Reader part(bytes);
  const std::size_t end = part.Enter();
  part.Expect(1);
  part.Leave(end);
  EXPECT_FALSE(part.ok());
}

TEST(Reader, DoesNotReadBeyondTheByteStringItIsIn) {
  const auto bytes = Hex("41420102");  // the inner head promises two bytes, which stand only outside the outer string
  Reader reader(bytes);
  const std::size_t outer = reader.Enter();
  EXPECT_TRUE(reader.Bytes().empty());
  EXPECT_FALSE(reader.ok());
  reader.Leave(outer);
  EXPECT_FALSE(reader.Finish(Reason::kMalformed, "test").has_value());
}

TEST(Reader, TakesAnOptionalIntegerOnlyIfItIsNext) {
  const auto bytes = Hex("0520");
  Reader reader(bytes);
  EXPECT_FALSE(reader.Take(4));
  EXPECT_TRUE(reader.Take(5));
  EXPECT_FALSE(reader.Take(0));
  EXPECT_TRUE(reader.Take(-1));
  EXPECT_FALSE(reader.Take(0)) << "nothing is left";
  EXPECT_TRUE(reader.Finish(Reason::kMalformed, "test").has_value());
}

TEST(Writer, WrapsWhatStandsBetweenBeginAndEndAtEverySizeOfHead) {
  for (const std::size_t size : {0U, 1U, 23U, 24U, 255U, 256U, 65535U, 65536U}) {
    std::vector<std::uint8_t> bytes(size + 16);
    Writer writer(bytes);
    writer.Uint(1);
    const std::size_t begin = writer.Begin();
    for (std::size_t i = 0; i < size; ++i) writer.Uint(i % 24);
    writer.End(begin);
    writer.Uint(2);
    Reader reader(ByteView(bytes).first(writer.Finish().value()));
    reader.Expect(1);
    const ByteView content = reader.Bytes();
    ASSERT_EQ(content.size(), size);
    for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(content[i], i % 24);
    reader.Expect(2);
    EXPECT_TRUE(reader.Finish(Reason::kMalformed, "test").has_value());
  }
}

TEST(Writer, NeverWritesBeyondItsBufferAndSaysSo) {
  std::array<std::uint8_t, 64> expected{};
  const auto write = [](MutableBytes to) {
    Writer writer(to);
    writer.Array(2);
    const std::size_t begin = writer.Begin();
    writer.Text("abcdefghijklmnopqrstuvwxyz");
    writer.End(begin);
    writer.Int(-70000);
    return writer.Finish();
  };
  const std::size_t size = write(expected).value();
  for (std::size_t room = 0; room < size; ++room) {
    std::vector<std::uint8_t> bytes(room);  // its own allocation: the sanitizer sees a byte too many
    const auto result = write(bytes);
    ASSERT_FALSE(result.has_value()) << room;
    EXPECT_EQ(result.error().reason, Reason::kTooLarge);
  }
}

}  // namespace
}  // namespace pawl::cbor
