#include "trust/manifest/template.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/maybe.h"
#include "base/text.h"

namespace pawl::templates {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes Hex(std::string_view hex) {
  Bytes bytes(hex.size() / 2);
  EXPECT_TRUE(HexDecode(hex, bytes).has_value()) << hex;
  return bytes;
}

// Standard layout, each member at a multiple of 4.
struct Fields {
  std::uint64_t wide = 0;
  std::uint32_t narrow = 0;
  alignas(4) std::int8_t small = 0;
  alignas(4) Digest digest{};
  std::array<std::uint8_t, 4> raw{};
  Maybe<std::uint64_t> first{};
  Maybe<std::uint64_t> second{};
};
constexpr Place kWide = At(offsetof(Fields, wide));
constexpr Place kNarrow = At(offsetof(Fields, narrow));
constexpr Place kSmallAt = At(offsetof(Fields, small));
constexpr Place kDigest = At(offsetof(Fields, digest));
constexpr Place kRawAt = At(offsetof(Fields, raw));
constexpr Place kFirst = At(offsetof(Fields, first));
constexpr Place kSecond = At(offsetof(Fields, second));
constexpr Place kFirstFlag = At(offsetof(Fields, first) + Maybe<std::uint64_t>::kFlagAt);
constexpr Place kSecondFlag = At(offsetof(Fields, second) + Maybe<std::uint64_t>::kFlagAt);

struct Answer {
  bool good;
  Fields fields;
  std::string why;
};

// Reads the bytes from an allocation of their own, so that the sanitizer sees a byte too many. What is accepted must be
// written again byte for byte.
template <std::size_t N>
Answer Read(const Part<N>& part, std::string_view hex) {
  const Bytes bytes = Hex(hex);
  Fields fields;
  Reader reader(bytes);
  reader.Read(part, fields);
  const Status status = reader.Finish(Reason::kMalformed, "test");
  if (!status) return {false, fields, std::string(status.error().detail.view())};
  Bytes again(bytes.size());
  Writer writer(again);
  writer.Write(part, fields);
  EXPECT_EQ(writer.Finish().value_or(0), bytes.size()) << hex;
  EXPECT_EQ(again, bytes);
  return {true, fields, ""};
}
template <std::size_t N>
std::string WhyNot(const Part<N>& part, std::string_view hex) {
  const Answer answer = Read(part, hex);
  EXPECT_FALSE(answer.good) << hex;
  return answer.why;
}

TEST(Template, ConstantsStandForThemselvesAndNothingElseDoes) {
  constexpr auto kPart = Template(0xa1, 1, Text("ni:"));
  EXPECT_TRUE(Read(kPart, "a1016e693a").good);
  EXPECT_EQ(WhyNot(kPart, "a1026e693a"), "test: another value than the template's (R4) at byte 1");
  EXPECT_EQ(WhyNot(kPart, "a1016e69"), "test: the input ends too early (R1) at byte 4");
  EXPECT_EQ(WhyNot(kPart, "a1016e693a00"), "test: bytes after the end (R1) at byte 5");
  EXPECT_EQ(WhyNot(kPart, ""), "test: the input ends too early (R1) at byte 0");
}

TEST(Template, ANumberHasItsShortestHeadAndItsLimit) {
  struct Row {
    const char* hex;
    std::uint64_t value;
    bool below32, below53;
  };
  for (const Row& row :
       {Row{"00", 0, true, true}, Row{"17", 23, true, true}, Row{"1818", 24, true, true}, Row{"18ff", 255, true, true},
        Row{"190100", 256, true, true}, Row{"1a00010000", 65536, true, true}, Row{"1affffffff", 0xFFFFFFFF, true, true},
        Row{"1b0000000100000000", 0x100000000, false, true}, Row{"1b001fffffffffffff", cbor::kMaxUint53, false, true},
        Row{"1b0020000000000000", cbor::kMaxUint53 + 1, false, false},
        Row{"1bffffffffffffffff", ~std::uint64_t{0}, false, false}}) {
    const auto judge = [&](const auto& part, bool good) {
      const Answer answer = Read(part, row.hex);
      EXPECT_EQ(answer.good, good) << row.hex;
      if (good) EXPECT_EQ(answer.fields.wide + answer.fields.narrow, row.value);
      if (!good && row.value != 0)
        EXPECT_TRUE(answer.why.starts_with("test: a number over its limit (R4)")) << answer.why;
    };
    constexpr auto kU32 = Template(Uint32(kNarrow));
    constexpr auto kU32Wide = Template(Uint32Wide(kWide));
    constexpr auto kU53 = Template(Uint53(kWide));
    constexpr auto kU32From1 = Template(Uint32From1(kNarrow));
    constexpr auto kU53From1 = Template(Uint53From1(kWide));
    judge(kU32, row.below32);
    judge(kU32Wide, row.below32);
    judge(kU53, row.below53);
    judge(kU32From1, row.below32 && row.value != 0);
    judge(kU53From1, row.below53 && row.value != 0);
  }
  constexpr auto kU53 = Template(Uint53(kWide));
  for (const char* hex : {"1800",   "1817",       "190017",
                          "1900ff", "1a0000ffff", "1b00000000ffffffff",
                          "1c",     "1f",         "20",
                          "40",     "60",         "80",
                          "a0",     "c0",         "e0",
                          "f6",     "f818",       "18",
                          "19ff",   "1affffff",   "1b00000001000000"}) {
    EXPECT_FALSE(Read(kU53, hex).good) << hex;
  }
}

TEST(Template, ASmallIntegerLiesInItsRangeAndMayBeNegative) {
  constexpr auto kPart = Template(Small(kSmallAt, 0x20, 0x22));
  EXPECT_EQ(Read(kPart, "20").fields.small, -1);
  EXPECT_EQ(Read(kPart, "22").fields.small, -3);
  EXPECT_EQ(WhyNot(kPart, "1f"), "test: another value than the template's (R4) at byte 1");
  EXPECT_EQ(WhyNot(kPart, "23"), "test: a number over its limit (R4) at byte 1");
  EXPECT_FALSE(Read(kPart, "").good);
  constexpr auto kPositive = Template(Small(kSmallAt, 1, 5));
  for (unsigned byte = 0; byte < 256; ++byte) {
    std::array<char, 2> hex{};
    const auto one = static_cast<std::uint8_t>(byte);
    EXPECT_EQ(Read(kPositive, HexEncode({&one, 1}, hex)).good, byte >= 1 && byte <= 5) << byte;
  }
}

TEST(Template, AValueOutsideItsRangeIsWrittenAsWhatItIsAndNotReadBack) {
  constexpr auto kPart = Template(Small(kSmallAt, 0x20, 0x22));
  for (const int value : {-128, -100, -4, 0, 1, 32, 33, 34, 35, 127}) {
    Fields fields;
    fields.small = static_cast<std::int8_t>(value);
    Bytes bytes(4);
    Writer writer(bytes);
    writer.Write(kPart, fields);
    bytes.resize(writer.Finish().value());
    Reader reader(bytes);
    reader.Read(kPart, fields);
    EXPECT_FALSE(reader.Finish(Reason::kMalformed, "test").has_value()) << value;
  }
}

TEST(Template, RawBytesGoIntoTheirField) {
  constexpr auto kPart = Template(0x44, Raw(kRawAt, 4), 7);
  EXPECT_EQ(Read(kPart, "440102030407").fields.raw, (std::array<std::uint8_t, 4>{1, 2, 3, 4}));
  for (const char* hex : {"43010203", "4401020304", "44010203", "44", "450102030407"})
    EXPECT_FALSE(Read(kPart, hex).good);
}

TEST(Template, ANameHasOneSpelling) {
  constexpr auto kPart = Template(Name(kDigest));
  Fields fields;
  for (std::size_t i = 0; i < fields.digest.size(); ++i) fields.digest[i] = static_cast<std::uint8_t>(251 * i + 7);
  Bytes good(43);
  Writer writer(good);
  writer.Write(kPart, fields);
  ASSERT_EQ(writer.Finish().value_or(0), good.size());
  const auto decode = [&](const Bytes& bytes) {
    Fields read;
    Reader reader(bytes);
    reader.Read(kPart, read);
    const bool holds = reader.Finish(Reason::kMalformed, "test").has_value();
    if (holds) {
      Bytes again(bytes.size());
      Writer back(again);
      back.Write(kPart, read);
      EXPECT_EQ(again, bytes);
    }
    return holds ? read.digest : Digest{};
  };
  EXPECT_EQ(decode(good), fields.digest);
  // At each place each byte: only the 64 characters, and at the last place those without spare bits.
  for (std::size_t at = 0; at < good.size(); ++at) {
    int accepted = 0;
    for (int byte = 0; byte < 256; ++byte) {
      Bytes changed = good;
      changed[at] = static_cast<std::uint8_t>(byte);
      Fields read;
      Reader reader(changed);
      reader.Read(kPart, read);
      accepted += reader.Finish(Reason::kMalformed, "test").has_value() ? 1 : 0;
    }
    EXPECT_EQ(accepted, at + 1 == good.size() ? 16 : 64) << at;
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    const Bytes part(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(decode(part), Digest{}) << size;
  }
}

TEST(Template, AByteStringIsLeftAtItsEndAndNeverReadBeyond) {
  constexpr auto kPart = Template(Bstr(1, Bstr(2, 3)), 4);
  EXPECT_TRUE(Read(kPart, "440142020304").good);
  EXPECT_EQ(WhyNot(kPart, "44014102030304"), "test: the input ends too early (R1) at byte 4");
  EXPECT_EQ(WhyNot(kPart, "450142020304"), "test: bytes after the end (R1) at byte 5");
  EXPECT_EQ(WhyNot(kPart, "430142020304"), "test: the input ends too early (R1) at byte 3");
  EXPECT_EQ(WhyNot(kPart, "5804014202030400"), "test: not the shortest form (R1) at byte 2");
  EXPECT_EQ(WhyNot(kPart, "5f0142020304ff"), "test: indefinite length, break or reserved head (R1) at byte 1");
  EXPECT_EQ(WhyNot(kPart, "640142020304"), "test: another type than the template's (R4) at byte 1");
  EXPECT_FALSE(Read(kPart, "5bffffffffffffffff0142020304").good);
}

// {? 4: first, 5: narrow, ? 6: second}, with a condition for `first` behind it.
constexpr auto kOptionals = Template(Count(0xa1), Optional(kFirstFlag, 4, Uint53(kFirst)), 5, Uint32(kNarrow),
                                     Optional(kSecondFlag, 6, Uint53(kSecond)), If(kFirstFlag, 9));

TEST(Template, AHeadCountsWhatIsThere) {
  EXPECT_EQ(Read(kOptionals, "a10501").fields.first, std::nullopt);
  EXPECT_EQ(Read(kOptionals, "a20402050109").fields.first, 2U);
  EXPECT_EQ(Read(kOptionals, "a205010603").fields.second, 3U);
  EXPECT_TRUE(Read(kOptionals,
                   "a3040205010603"
                   "09")
                  .good);
  EXPECT_EQ(WhyNot(kOptionals, "a20501"), "test: another number of items than the template's (R4) at byte 3");
  for (const char* hex : {"a00501", "a10402050109", "a30402050109",
                          "a20402"
                          "0501",
                          "a1050109",
                          "a2050106030"
                          "9",
                          "a205010402",
                          "a2060305"
                          "01",
                          "b801"
                          "0501",
                          "800501", "a3040205010603", "a2"}) {
    EXPECT_FALSE(Read(kOptionals, hex).good) << hex;
  }
}

TEST(Template, ParametersHaveTheirCommandsCountedToo) {
  constexpr auto kPart = Template(Parameters(0xa1), Optional(kFirstFlag, 4, Uint53(kFirst)), 5, Uint32(kNarrow));
  EXPECT_TRUE(Read(kPart, "8614a10501").good);
  EXPECT_TRUE(Read(kPart, "8814a204020501").good);
  for (const char* hex : {"8814a10501", "8714a10501", "8614a204020501", "8714a204020501", "8a14a304020501",
                          "8613a10501", "8414a00501", "8614a20501", "8814a20501", "8414a10501"}) {
    EXPECT_FALSE(Read(kPart, hex).good) << hex;
  }
}

// A part that starts with no constant is there if anything more is, up to the end of its byte string.
TEST(Template, AnOptionalEndOfAByteStringIsThereIfMoreIs) {
  constexpr auto kPart = Template(
      Bstr(Count(0x81), 7, Optional(kSmallAt, Small(kSmallAt, 0x20, 0x22)), Optional(kFirstFlag, Uint53(kFirst))), 8);
  EXPECT_EQ(Read(kPart, "42810708").fields.small, 0);
  EXPECT_EQ(Read(kPart, "4382072108").fields.small, -2);
  EXPECT_EQ(Read(kPart, "448307210508").fields.first, 5U);
  for (const char* hex : {"4381072108", "42820708",
                          "438207"
                          "0508",
                          "438207"
                          "2308",
                          "44820721"
                          "0508",
                          "4583072105"
                          "0508"}) {
    EXPECT_FALSE(Read(kPart, hex).good) << hex;
  }
}

TEST(Template, NothingIsWrittenBeyondTheBufferAndItSaysSo) {
  constexpr auto kPart = Template(Parameters(0xa1), Optional(kFirstFlag, 4, Uint53(kFirst)), Name(kDigest),
                                  Bstr(Uint32(kNarrow), Bstr(Raw(kRawAt, 4)), Small(kSmallAt, 0, 9)));
  Fields fields;
  fields.first = cbor::kMaxUint53;
  fields.narrow = 70000;
  std::array<std::uint8_t, 128> whole{};
  Writer all(whole);
  all.Write(kPart, fields);
  const std::size_t size = all.Finish().value();
  for (std::size_t room = 0; room < size; ++room) {
    Bytes bytes(room);  // its own allocation: the sanitizer sees a byte too many
    Writer writer(bytes);
    writer.Write(kPart, fields);
    const auto result = writer.Finish();
    ASSERT_FALSE(result.has_value()) << room;
    EXPECT_EQ(result.error().reason, Reason::kTooLarge);
  }
}

TEST(Writer, WrapsWhatStandsBetweenBeginAndEndAtEverySizeOfHead) {
  for (const std::size_t size : {0U, 1U, 23U, 24U, 255U, 256U, 65535U, 65536U}) {
    Bytes bytes(size + 16);
    Writer writer(bytes);
    writer.Head(cbor::Major::kUint, 1);
    const std::size_t begin = writer.Begin();
    for (std::size_t i = 0; i < size; ++i) writer.Head(cbor::Major::kUint, i % 24);
    writer.End(begin);
    writer.Head(cbor::Major::kUint, 2);
    Reader reader(ByteView(bytes).first(writer.Finish().value()));
    reader.Expect(1);
    const std::uint8_t* end = reader.Enter(cbor::Major::kBytes);
    const ByteView content = reader.Rest();
    reader.Leave(end);
    ASSERT_EQ(content.size(), size);
    for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(content[i], i % 24);
    reader.Expect(2);
    EXPECT_TRUE(reader.Finish(Reason::kMalformed, "test").has_value());
  }
}

TEST(Maybe, IsLikeAnOptionalAndItsLayoutIsKnown) {
  Maybe<std::uint64_t> maybe;
  EXPECT_FALSE(maybe);
  EXPECT_EQ(maybe, std::nullopt);
  EXPECT_EQ(maybe, std::optional<std::uint64_t>());
  EXPECT_EQ(maybe.value_or(7), 7U);
  maybe = 5;
  EXPECT_EQ(*maybe, 5U);
  EXPECT_EQ(maybe, std::optional<std::uint64_t>(5));
  EXPECT_NE(maybe, std::optional<std::uint64_t>(6));
  EXPECT_NE(maybe, std::optional<std::uint64_t>());
  EXPECT_EQ(reinterpret_cast<const unsigned char*>(&maybe)[Maybe<std::uint64_t>::kFlagAt], 1);
  maybe = std::optional<std::uint64_t>();
  EXPECT_FALSE(maybe.has_value());
  EXPECT_EQ(maybe.emplace(), 0U);
  EXPECT_TRUE(maybe.has_value());
  maybe.reset();
  EXPECT_EQ(maybe, Maybe<std::uint64_t>());
  EXPECT_EQ(sizeof(Maybe<Digest>) % 4, 0U);
}

}  // namespace
}  // namespace pawl::templates
