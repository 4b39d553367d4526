#include "trust/manifest/manifest.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace pawl {
namespace {

Manifest Smallest() {
  Manifest manifest;
  manifest.image_digest.fill(1);
  manifest.payload_digest = manifest.image_digest;
  manifest.image_bytes = manifest.payload_bytes = 1;
  manifest.trial_budget_s = 1;
  return manifest;
}

Manifest Fullest() {
  Manifest manifest;
  manifest.sequence = (std::uint64_t{1} << 53) - 1;
  manifest.version = {4294967295, 0, 4294967295, Version::Stage::kAlpha, 4294967295};
  manifest.vendor.fill(2);
  manifest.cls.fill(3);
  manifest.image_digest.fill(4);
  manifest.image_bytes = (std::uint64_t{1} << 53) - 1;
  manifest.slot = 1;
  manifest.security_version = 0xFFFFFFFF;
  manifest.min_board_revision = 0xFFFFFFFF;
  manifest.trial_budget_s = 0xFFFFFFFF;
  manifest.use_before = (std::uint64_t{1} << 53) - 1;
  manifest.payload_digest.fill(5);
  manifest.payload_bytes = 77;
  manifest.format = PayloadFormat::kDelta;
  manifest.tree_root.fill(6);
  manifest.version_match = {VersionMatch::Comparison::kLesser, {1, 2, 3, Version::Stage::kCandidate, {}}};
  manifest.precursor.emplace().fill(7);
  manifest.coswid.emplace().fill(8);
  manifest.text.emplace().fill(9);
  manifest.sbom.emplace().fill(10);
  return manifest;
}

std::vector<std::uint8_t> Encode(const Manifest& manifest) {
  std::vector<std::uint8_t> bytes(1024);
  bytes.resize(EncodeManifest(manifest, bytes).value());
  return bytes;
}

TEST(Manifest, TheSmallestAndTheFullestComeBackAsTheyWere) {
  for (const Manifest& manifest : {Smallest(), Fullest()}) {
    EXPECT_EQ(DecodeManifest(Encode(manifest)).value(), manifest);
  }
}

TEST(Manifest, EverySubsetOfTheOptionalMembersComesBack) {
  for (unsigned subset = 0; subset < 128; ++subset) {
    Manifest manifest = Fullest();
    if ((subset & 1) != 0) manifest.slot.reset();
    if ((subset & 2) != 0) manifest.use_before.reset();
    if ((subset & 4) != 0) manifest.version_match.reset();
    if ((subset & 8) != 0) {
      manifest.precursor.reset();
      manifest.format = PayloadFormat::kZstd;
    }
    if ((subset & 16) != 0) manifest.coswid.reset();
    if ((subset & 32) != 0) manifest.text.reset();
    if ((subset & 64) != 0) manifest.sbom.reset();
    EXPECT_EQ(DecodeManifest(Encode(manifest)).value(), manifest) << subset;
  }
}

// With every stage, in both versions, and numbers at the edges of their heads.
TEST(Manifest, RandomManifestsComeBackAndEveryOneOfTheirBytesCounts) {
  std::mt19937_64 random(1);
  const auto number = [&](unsigned bits) -> std::uint64_t {
    constexpr std::uint64_t kEdges[] = {0, 1, 23, 24, 255, 256, 65535, 65536};
    if (random() % 3 == 0) return kEdges[random() % std::size(kEdges)];
    return (random() >> 11) >> (53 - 1 - random() % bits);
  };
  const auto version = [&] {
    Version v{static_cast<std::uint32_t>(number(32)),
              static_cast<std::uint32_t>(number(32)),
              static_cast<std::uint32_t>(number(32)),
              static_cast<Version::Stage>(-static_cast<int>(random() % 4)),
              {}};
    if (v.stage != Version::Stage::kRelease && random() % 2 == 0)
      v.stage_number = static_cast<std::uint32_t>(number(32));
    return v;
  };
  const auto some_digest = [&]() -> Maybe<Digest> {
    if (random() % 2 == 0) return std::nullopt;
    Digest digest;
    for (std::uint8_t& byte : digest) byte = static_cast<std::uint8_t>(random());
    return digest;
  };
  for (int i = 0; i < 3000; ++i) {
    Manifest m = Fullest();
    m.sequence = number(53);
    m.version = version();
    m.image_bytes = number(53) | 1;
    m.slot = random() % 2 == 0 ? Maybe<std::uint64_t>() : number(32);
    m.security_version = number(32);
    m.min_board_revision = number(32);
    m.trial_budget_s = static_cast<std::uint32_t>(number(32) | 1);
    m.use_before = random() % 2 == 0 ? Maybe<std::uint64_t>() : number(53);
    m.payload_digest = some_digest().value_or(Digest{});
    m.payload_bytes = number(53) | 1;
    m.precursor = some_digest();
    m.format = m.precursor ? PayloadFormat::kDelta : PayloadFormat::kZstd;
    if (!m.precursor && random() % 2 == 0) {
      m.format = PayloadFormat::kRaw;
      m.payload_bytes = m.image_bytes;
      m.payload_digest = m.image_digest;
    }
    m.version_match = std::nullopt;
    if (random() % 2 == 0) m.version_match = {static_cast<VersionMatch::Comparison>(1 + random() % 5), version()};
    m.coswid = some_digest();
    m.text = some_digest();
    m.sbom = some_digest();
    std::vector<std::uint8_t> bytes = Encode(m);
    ASSERT_EQ(DecodeManifest(bytes).value(), m) << i;
    bytes[random() % bytes.size()] ^= static_cast<std::uint8_t>(1U << (random() % 8));
    if (const auto changed = DecodeManifest(bytes)) {
      ASSERT_NE(*changed, m) << i;
      ASSERT_EQ(Encode(*changed), bytes) << i;
    }
  }
}

// What the decoder accepts, the encoder writes byte for byte: so nothing was skipped, and no fact has two encodings.
TEST(Manifest, R4_EveryByteThatMayBeChangedIsAFactThatComesBack) {
  for (const Manifest& manifest : {Smallest(), Fullest()}) {
    const std::vector<std::uint8_t> original = Encode(manifest);
    std::vector<std::uint8_t> bytes = original;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (int value = 0; value < 256; ++value) {
        bytes[at] = static_cast<std::uint8_t>(value);
        const auto decoded = DecodeManifest(bytes);
        if (!decoded) continue;
        ASSERT_EQ(Encode(*decoded), bytes) << "byte " << at << " = " << value;
        if (bytes != original) ASSERT_NE(*decoded, manifest) << "byte " << at << " = " << value;
      }
      bytes[at] = original[at];
    }
  }
}

TEST(Manifest, EveryTruncationIsRefused) {
  const std::vector<std::uint8_t> bytes = Encode(Fullest());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<std::uint8_t> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(DecodeManifest(part).has_value()) << size;
  }
}

template <class Change>
void ExpectUnwritable(const char* what, Change change) {
  Manifest manifest = Fullest();
  change(manifest);
  std::array<std::uint8_t, 1024> bytes{};
  const auto result = EncodeManifest(manifest, bytes);
  ASSERT_FALSE(result.has_value()) << what;
  EXPECT_EQ(result.error().reason, Reason::kInvalidArgument) << what;
  EXPECT_FALSE(result.error().detail.empty()) << what;
}

TEST(Manifest, ValuesThatTheProfileDoesNotAllowAreNeitherWrittenNorRead) {
  const std::uint64_t over53 = std::uint64_t{1} << 53;
  const std::uint64_t over32 = std::uint64_t{1} << 32;
  ExpectUnwritable("sequence", [&](Manifest& m) { m.sequence = over53; });
  ExpectUnwritable("image bytes", [&](Manifest& m) { m.image_bytes = over53; });
  ExpectUnwritable("no image bytes", [&](Manifest& m) { m.image_bytes = 0; });
  ExpectUnwritable("payload bytes", [&](Manifest& m) { m.payload_bytes = over53; });
  ExpectUnwritable("no payload bytes", [&](Manifest& m) { m.payload_bytes = 0; });
  ExpectUnwritable("use before", [&](Manifest& m) { m.use_before = over53; });
  ExpectUnwritable("security version", [&](Manifest& m) { m.security_version = over32; });
  ExpectUnwritable("board revision", [&](Manifest& m) { m.min_board_revision = over32; });
  ExpectUnwritable("slot", [&](Manifest& m) { m.slot = over32; });
  ExpectUnwritable("no trial budget", [&](Manifest& m) { m.trial_budget_s = 0; });
  ExpectUnwritable("a stage number without a stage", [&](Manifest& m) { m.version.stage = Version::Stage::kRelease; });
  ExpectUnwritable("an unknown stage", [&](Manifest& m) { m.version.stage = static_cast<Version::Stage>(-4); });
  ExpectUnwritable("an unknown format", [&](Manifest& m) { m.format = static_cast<PayloadFormat>(3); });
  ExpectUnwritable("comparison 0", [&](Manifest& m) { m.version_match->comparison = VersionMatch::Comparison{0}; });
  ExpectUnwritable("comparison 6", [&](Manifest& m) { m.version_match->comparison = VersionMatch::Comparison{6}; });
  ExpectUnwritable("a delta without a base", [&](Manifest& m) { m.precursor.reset(); });
  ExpectUnwritable("a base without a delta", [&](Manifest& m) { m.format = PayloadFormat::kZstd; });
  ExpectUnwritable("a raw payload that is not the image", [&](Manifest& m) {
    m.precursor.reset();
    m.format = PayloadFormat::kRaw;
    m.payload_bytes = m.image_bytes;
  });
}

TEST(Manifest, AnErrorSaysWhatIsWrongAndWhere) {
  std::vector<std::uint8_t> bytes = Encode(Smallest());
  bytes[1] = 2;
  EXPECT_EQ(DecodeManifest(bytes).error().detail.view(), "manifest: another value than the template's (R4) at byte 1");
  bytes = Encode(Smallest());
  bytes[0] = 0xa8;
  EXPECT_EQ(DecodeManifest(bytes).error().detail.view(),
            "manifest: another number of items than the template's (R4) at byte " + std::to_string(bytes.size()));
}

TEST(Manifest, ABufferThatIsTooSmallIsAnError) {
  std::vector<std::uint8_t> bytes(Encode(Fullest()).size() - 1);
  const auto result = EncodeManifest(Fullest(), bytes);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().reason, Reason::kTooLarge);
}

}  // namespace
}  // namespace pawl
