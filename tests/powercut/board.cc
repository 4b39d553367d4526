#include "tests/powercut/board.h"

#include "trust/verify/test_signer.h"

namespace pawl::powercut {
namespace {

constexpr Uuid kVendor{1};
constexpr Uuid kClass{2};

const test::TestKey& ImageKey() {
  static const test::TestKey key("power cut image");
  return key;
}

Release Make(std::uint32_t number) {
  Release release;
  for (std::size_t i = 0; i < kImageBytes; ++i)
    release.image.push_back(static_cast<std::uint8_t>(37 * i + 11 * number));
  Manifest manifest;
  manifest.sequence = number + 1;
  manifest.version = {.major = number + 1};
  manifest.vendor = kVendor;
  manifest.cls = kClass;
  manifest.image_digest = crypto::Hash(release.image);
  manifest.image_bytes = release.image.size();
  manifest.security_version = std::min(number, kReleases - 2) + 1;
  manifest.min_board_revision = 1;
  manifest.trial_budget_s = 60;
  manifest.payload_digest = manifest.image_digest;
  manifest.payload_bytes = release.image.size();
  const auto encoded = test::Encode(manifest);
  release.manifest_digest = test::ManifestDigest(encoded);
  release.envelope = test::SignManifest(encoded, {&ImageKey()});
  return release;
}

}  // namespace

const Release& ReleaseOf(std::uint32_t number) {
  static const std::vector<Release> releases = [] {
    std::vector<Release> all;
    for (std::uint32_t i = 0; i < kReleases; ++i) all.push_back(Make(i));
    return all;
  }();
  return releases[number < kReleases ? number : kReleases - 2 + number % 2];
}

const Rom& TestRom() {
  static const Rom rom = [] {
    Rom made;
    made.anchors.keys.push_back(ImageKey().Entry(Role::kImage));
    made.identity = {.vendor = kVendor, .cls = kClass, .board_revision = 2, .min_security_version = 1};
    return made;
  }();
  return rom;
}

Result<ByteView> Board::Load(Slot slot, std::uint64_t image_bytes) {
  auto& memory = memory_[static_cast<std::size_t>(slot)];
  memory.assign(image_bytes, 0);
  PAWL_TRY(fake(slot).Read(0, memory));
  return ByteView(memory);
}

}  // namespace pawl::powercut
