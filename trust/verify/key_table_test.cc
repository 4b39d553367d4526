#include "trust/verify/key_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trust/verify/golden.h"
#include "trust/verify/test_signer.h"

namespace pawl {
namespace {

using golden::Hex;
using test::TestKey;
using Bytes = std::vector<std::uint8_t>;

TestKey Named(const std::string& name) { return TestKey("pawl throw-away " + name); }

// The worked example of docs/spec/keys.md.
KeyTable TheTable() {
  KeyTable table;
  for (const char* name : {"root key 1", "root key 2", "root key 3"}) {
    table.keys.push_back(Named(name).Entry(Role::kRoot));
  }
  for (const char* name : {"image key 1", "image key 2"}) table.keys.push_back(Named(name).Entry(Role::kImage));
  for (const char* name : {"director key 1", "director key 2"}) {
    table.keys.push_back(Named(name).Entry(Role::kDirector));
  }
  table.keys.push_back(Named("tls-root key 1").Entry(Role::kTlsRoot));
  return table;
}

Bytes Encode(const KeyTable& table) {
  Bytes bytes(kMaxAnchorsBytes);
  bytes.resize(EncodeAnchors(table, bytes).value());
  return bytes;
}

std::string WhyNot(const KeyTable& table) {
  Bytes bytes(kMaxAnchorsBytes);
  const auto result = EncodeAnchors(table, bytes);
  if (result) return "accepted";
  EXPECT_EQ(result.error().reason, Reason::kInvalidArgument);
  return std::string(result.error().detail.view());
}

TEST(Anchors, AreWrittenByteByByteAsInTheSpecification) {
  const Bytes anchors = Encode(TheTable());
  EXPECT_TRUE(Equal(anchors, Hex(golden::kAnchors)));
}

TEST(Anchors, ComeBackAsTheyWere) {
  KeyTable table = TheTable();
  table.version = 12;
  table.thresholds = {3, 2, 1, 1};
  table.revoked.push_back(Named("image key 3").kid());
  table.revoked.push_back(Named("director key 1").kid());
  table.expires = 1798761600;
  const KeyTable back = DecodeAnchors(Encode(table)).value();
  EXPECT_EQ(Encode(back), Encode(table));
  EXPECT_EQ(back.version, 12U);
  EXPECT_EQ(back.keys.size(), 8U);
  EXPECT_EQ(back.keys[7].public_key, Named("tls-root key 1").public_key());
  EXPECT_EQ(back.thresholds, table.thresholds);
  EXPECT_EQ(back.revoked.size(), 2U);
  EXPECT_EQ(back.expires, table.expires);
}

TEST(Anchors, FewerThanThreeRootKeysAreRefused) {
  KeyTable table = TheTable();
  table.keys[2].roles = static_cast<std::uint8_t>(Role::kImage);
  EXPECT_THAT(WhyNot(table), testing::StartsWith("anchors: fewer than 3 root keys"));
  KeyTable revoked = TheTable();
  revoked.revoked.push_back(revoked.keys[0].kid);
  EXPECT_THAT(WhyNot(revoked), testing::StartsWith("anchors: fewer than 3 root keys")) << "a revoked key is none";
}

TEST(Anchors, ThresholdsThatProtectNothingOrCannotBeReachedAreRefused) {
  struct Row {
    std::array<std::uint8_t, 4> thresholds;
    const char* why;
  };
  for (const Row& row :
       {Row{{1, 1, 1, 1}, "a threshold of root below 2"}, Row{{4, 1, 1, 1}, "fewer keys of a role"},
        Row{{2, 0, 1, 1}, "fewer keys of a role"}, Row{{2, 3, 1, 1}, "fewer keys of a role"},
        Row{{2, 5, 1, 1}, "a threshold of image above 4"}, Row{{2, 1, 0, 1}, "a threshold of director that is not 1"},
        Row{{2, 1, 2, 1}, "a threshold of director that is not 1"},
        Row{{2, 1, 1, 0}, "a threshold of tls-root that is not 1"},
        Row{{2, 1, 1, 2}, "a threshold of tls-root that is not 1"}}) {
    KeyTable table = TheTable();
    table.thresholds = row.thresholds;
    EXPECT_THAT(WhyNot(table), testing::StartsWith(std::string("anchors: ") + row.why));
  }
}

TEST(Anchors, AKeyMustBeWhatItsKidSays) {
  KeyTable wrong = TheTable();
  wrong.keys[3].kid[0] ^= 1;
  EXPECT_THAT(WhyNot(wrong), testing::StartsWith("anchors: a kid that is not its key's"));
  KeyTable compressed = TheTable();
  compressed.keys[3].public_key[0] = 2;
  EXPECT_THAT(WhyNot(compressed), testing::StartsWith("anchors: a key that is not an uncompressed point"));
  KeyTable twice = TheTable();
  twice.keys[4] = twice.keys[3];
  EXPECT_THAT(WhyNot(twice), testing::StartsWith("anchors: a key that stands twice"));
  KeyTable algorithm = TheTable();
  algorithm.keys[3].algorithm = -7;
  EXPECT_THAT(WhyNot(algorithm), testing::StartsWith("anchors: another value than the template's"));
}

TEST(Anchors, RolesAreOneToFifteen) {
  KeyTable none = TheTable();
  none.keys[3].roles = 0;
  EXPECT_THAT(WhyNot(none), testing::StartsWith("anchors: a key without a role"));
  KeyTable unknown = TheTable();
  unknown.keys[3].roles = 16;
  EXPECT_THAT(WhyNot(unknown), testing::StartsWith("anchors: a number over its limit"));
}

TEST(Anchors, ARevokedKidStandsOnce) {
  KeyTable table = TheTable();
  table.revoked.push_back(KeyId{1});
  EXPECT_EQ(WhyNot(table), "accepted");
  table.revoked.push_back(KeyId{1});
  EXPECT_THAT(WhyNot(table), testing::StartsWith("anchors: a revoked kid that stands twice"));
}

TEST(Anchors, AVersionOfZeroIsRefused) {
  KeyTable table = TheTable();
  table.version = 0;
  EXPECT_THAT(WhyNot(table), testing::StartsWith("anchors: a version of 0"));
}

TEST(Anchors, MoreThanTheLimitsIsRefusedUnread) {
  EXPECT_EQ(DecodeAnchors(Bytes(kMaxAnchorsBytes + 1)).error().detail.view(), "anchors: over 4096 bytes");
  Bytes many = Hex("a401010291");  // 17 keys
  many.resize(2000);
  EXPECT_THAT(std::string(DecodeAnchors(many).error().detail.view()),
              testing::StartsWith("anchors: more than 16 keys"));
}

// What is accepted is written again byte for byte: so nothing was ignored.
TEST(Anchors, ASingleBitFlipIsRefusedOrIsAFactThatComesBack) {
  const Bytes original = Encode(TheTable());
  Bytes bytes = original;
  std::size_t accepted = 0;
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    if (const auto decoded = DecodeAnchors(bytes)) {
      ASSERT_EQ(Encode(*decoded), bytes) << "bit " << bit;
      ++accepted;
    }
    bytes[bit / 8] = original[bit / 8];
  }
  EXPECT_LT(accepted, 40U) << "only bits of version, roles and thresholds may be flipped";
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeAnchors(ByteView(bytes).first(size)).has_value()) << size;
  }
}

TEST(FindKey, NamesTheKeyOnlyForItsRole) {
  const KeyTable table = TheTable();
  const KeyId image = Named("image key 1").kid();
  EXPECT_EQ(FindKey(table, image, Role::kImage).value()->public_key, Named("image key 1").public_key());
  EXPECT_EQ(FindKey(table, image, Role::kDirector).error().reason, Reason::kWrongKeyRole);
  EXPECT_EQ(FindKey(table, KeyId{}, Role::kImage).error().reason, Reason::kUnknownKey);
  KeyTable both = table;
  both.keys[3].roles = static_cast<std::uint8_t>(Role::kImage) | static_cast<std::uint8_t>(Role::kDirector);
  EXPECT_TRUE(FindKey(both, image, Role::kDirector).has_value());
}

TEST(FindKey, ARevokedKeyIsUnknownForEveryRole) {
  KeyTable table = TheTable();
  table.revoked.push_back(Named("image key 1").kid());
  EXPECT_EQ(FindKey(table, Named("image key 1").kid(), Role::kImage).error().reason, Reason::kUnknownKey);
  EXPECT_TRUE(FindKey(table, Named("image key 2").kid(), Role::kImage).has_value());
}

TEST(IsTlsRoot, HoldsForUnrevokedKeysOfThatRoleAlone) {
  KeyTable table = TheTable();
  const TestKey tls = Named("tls-root key 1");
  EXPECT_TRUE(IsTlsRoot(table, tls.public_key()));
  EXPECT_FALSE(IsTlsRoot(table, Named("image key 1").public_key()));
  EXPECT_FALSE(IsTlsRoot(table, Named("stranger").public_key()));
  table.revoked.push_back(tls.kid());
  EXPECT_FALSE(IsTlsRoot(table, tls.public_key()));
}

RomIdentity TheIdentity() { return {golden::HexTo<Uuid>(golden::kVendor), golden::HexTo<Uuid>(golden::kClass), 2, 1}; }

TEST(RomIdentity, IsWrittenByteByByteAsInTheSpecification) {
  std::array<std::uint8_t, 64> bytes{};
  const std::size_t size = EncodeRomIdentity(TheIdentity(), bytes).value();
  EXPECT_TRUE(Equal(ByteView(bytes).first(size), Hex(golden::kRomIdentity)));
  const RomIdentity back = DecodeRomIdentity(ByteView(bytes).first(size)).value();
  EXPECT_EQ(back.vendor, TheIdentity().vendor);
  EXPECT_EQ(back.cls, TheIdentity().cls);
  EXPECT_EQ(back.board_revision, 2U);
  EXPECT_EQ(back.min_security_version, 1U);
}

TEST(RomIdentity, AnythingElseIsRefused) {
  const Bytes good = Hex(golden::kRomIdentity);
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(DecodeRomIdentity(ByteView(good).first(size)).has_value()) << size;
  }
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(DecodeRomIdentity(longer).has_value());
  RomIdentity over = TheIdentity();
  over.board_revision = std::uint64_t{1} << 32;
  std::array<std::uint8_t, 64> bytes{};
  EXPECT_EQ(EncodeRomIdentity(over, bytes).error().reason, Reason::kInvalidArgument);
}

}  // namespace
}  // namespace pawl
