#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "base/reason.h"
#include "base/result.h"
#include "base/text.h"

namespace pawl {
namespace {

TEST(Reasons, EveryNumberAndTextStandsOnce) {
  std::set<std::uint16_t> numbers;
  std::set<std::string_view> texts;
  for (const ReasonEntry& entry : AllReasons()) {
    EXPECT_TRUE(numbers.insert(static_cast<std::uint16_t>(entry.reason)).second) << entry.text;
    EXPECT_TRUE(texts.insert(entry.text).second) << entry.text;
    EXPECT_FALSE(entry.remedy.empty()) << entry.text;
    EXPECT_EQ(Text(entry.reason), entry.text);
  }
}

TEST(Reasons, ANumberFromANewerPeerIsDescribedAsUnknown) {
  EXPECT_EQ(Text(static_cast<Reason>(65000)), "unknown reason");
  EXPECT_EQ(Describe(static_cast<Reason>(65000)).text, "unknown reason");
}

TEST(Crc32, MatchesTheCheckValueOfItsCatalogue) { EXPECT_EQ(Crc32(AsBytes("123456789")), 0xCBF43926U); }

TEST(Base64Url, MatchesTheVectorsOfRfc4648) {
  const std::vector<std::pair<std::string, std::string>> vectors = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : vectors) {
    std::vector<char> text(Base64UrlSize(plain.size()));
    EXPECT_EQ(Base64UrlEncode(AsBytes(plain), text), coded);
    std::vector<std::uint8_t> bytes(plain.size());
    const auto size = Base64UrlDecode(coded, bytes);
    ASSERT_TRUE(size.has_value());
    EXPECT_EQ(AsText(ByteView(bytes).first(*size)), plain);
  }
}

TEST(Base64Url, RefusesPaddingSpareBitsForeignCharactersAndTooMuch) {
  std::array<std::uint8_t, 2> room{};
  for (const char* bad : {"Zg==", "Zh", "Z", "Zm9v", "Z+", "Zm 8"}) {
    EXPECT_FALSE(Base64UrlDecode(bad, room).has_value()) << bad;
  }
}

TEST(Hex, RoundTripsAndRefusesWrongLengthAndDigits) {
  const std::array<std::uint8_t, 3> bytes{0x00, 0xAB, 0xFF};
  std::array<char, 6> text{};
  EXPECT_EQ(HexEncode(bytes, text), "00abff");
  std::array<std::uint8_t, 3> back{};
  ASSERT_TRUE(HexDecode("00abff", back).has_value());
  EXPECT_EQ(back, bytes);
  EXPECT_FALSE(HexDecode("00abf", back).has_value());
  EXPECT_FALSE(HexDecode("00abfg", back).has_value());
}

TEST(BoundedText, CutsOffWhatDoesNotFit) {
  BoundedText<5> text("abc");
  text.append_number(1234);
  EXPECT_EQ(text.view(), "abc12");
}

TEST(Decimal, SaysEveryNumberAsTheLibraryDoes) {
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{9}, std::uint64_t{10}, std::uint64_t{65535},
                                     std::uint64_t{4294967295}, std::uint64_t{4294967296}, ~std::uint64_t{0}}) {
    EXPECT_EQ(Decimal(number).view(), std::to_string(number));
  }
  std::uint64_t number = 1;
  for (int i = 0; i < 100'000; ++i) {
    number = number * 6364136223846793005 + 1442695040888963407;
    ASSERT_EQ(Decimal(number >> (i % 64)).view(), std::to_string(number >> (i % 64)));
  }
  for (std::uint32_t small = 0; small <= 0xFFFF; ++small) {
    ASSERT_EQ(Decimal(static_cast<std::uint16_t>(small)).view(), std::to_string(small));
  }
}

Status BriefToStatus(const BriefStatus& status) {
  PAWL_TRY(status);
  return {};
}
BriefStatus BriefToBrief(const BriefStatus& status) {
  PAWL_TRY(status);
  return {};
}
Result<int> BriefToResult(const BriefStatus& status) {
  PAWL_TRY(status);
  return 7;
}

TEST(BriefStatus, KeepsEveryReasonOnItsWayThroughFunctions) {
  static_assert(sizeof(BriefStatus) == 4 && std::is_trivially_copyable_v<BriefStatus>);
  EXPECT_TRUE(BriefStatus().has_value());
  EXPECT_TRUE(BriefToStatus({}).has_value() && BriefToBrief({}).has_value() && BriefToResult({}).has_value());
  for (const Reason reason : {Reason::kNone, Reason::kInvalidSignature, Reason::kIo, static_cast<Reason>(0xFFFF)}) {
    const BriefStatus failed = Fail(reason, "a detail");
    EXPECT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error().reason, reason);
    EXPECT_EQ(BriefToStatus(failed).error().reason, reason);
    EXPECT_EQ(BriefToBrief(failed).error().reason, reason);
    EXPECT_EQ(BriefToResult(failed).error().reason, reason);
  }
}

TEST(EndianLoads, ReadWhatStoresWrote) {
  std::array<std::uint8_t, 8> bytes{};
  StoreLe<std::uint64_t>(bytes, 0x0102030405060708U);
  EXPECT_EQ(bytes[0], 8);
  EXPECT_EQ(LoadLe<std::uint64_t>(bytes), 0x0102030405060708U);
  EXPECT_EQ(LoadBe<std::uint64_t>(bytes), 0x0807060504030201U);
}

}  // namespace
}  // namespace pawl
