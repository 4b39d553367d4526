// The worked examples of docs/spec/manifest.md and docs/spec/protocol.md, byte by byte. For tests.
#pragma once

#include <string_view>
#include <vector>

#include "base/text.h"
#include "trust/crypto/crypto.h"
#include "trust/manifest/manifest.h"
#include "trust/verify/key_table.h"

namespace pawl::golden {

inline std::vector<std::uint8_t> Hex(std::string_view hex) {
  std::vector<std::uint8_t> bytes(hex.size() / 2);
  PAWL_ASSERT(HexDecode(hex, bytes).has_value());
  return bytes;
}
template <class T>
T HexTo(std::string_view hex) {
  T bytes{};
  PAWL_ASSERT(HexDecode(hex, bytes).has_value());
  return bytes;
}

// d = SHA-256("pawl throw-away image key 1")
inline constexpr std::string_view kImageKey =
    "042a65cd21e6223d1ebd3caedb8c223f9d6e5291eddd6f18d9c28e94240b97dba80171fb2ae114e5dbb8d7d9f77bbde9303c551688ac50be58"
    "2393d7d4e0100f3a";
inline constexpr std::string_view kImageKid = "9356fe0c1964a3bb";
// d = SHA-256("pawl throw-away director key 1")
inline constexpr std::string_view kDirectorKey =
    "0456235183bd533ad5ae7bb6fd9bb298e2f31ce6636605cded2fdc0e82ebc0ae4dc61470fd7a81d8c79be3c3cca864efc54f0fc5674891254d"
    "9528a96dd351ec16";
inline constexpr std::string_view kDirectorKid = "79e581ec0abd27dd";
inline constexpr std::string_view kVendor = "a872132d81405669ad6e15d5d0eb8c66";
inline constexpr std::string_view kClass = "5028ba32f82757bc830685ce162ae00f";
inline constexpr std::string_view kImageDigest = "c7aab7fbafd456789e92840d63c9a8ce503e32947380f9b9c43eb963677d5cda";
inline constexpr std::string_view kTreeRoot = "d91407593dfe1242ffaa70221e688602e97ee2a1f1213f483c124b4f933d8f7d";
inline constexpr std::string_view kManifestDigest = "d19fb2c2dc5cb94ee63969649281c101f19cb920e7c3352562734b84d1a933dd";
inline constexpr std::string_view kSigStructure =
    "846a5369676e6174757265314da2012804489356fe0c1964a3bb405824822f5820d19fb2c2dc5cb94ee63969649281c101f19cb920e7c33525"
    "62734b84d1a933dd";
inline constexpr std::string_view kSignature =
    "944dc6f84e8e3f92de7a9a8eba351982ca2a2d19f1304baebb1620cc5767b1fe7be1287ef3b440b323b255a965533887ddbcac80e4c0853bde"
    "cdd1cddfd891a7";
inline constexpr std::string_view kEnvelope =
    "d86ba202587d825824822f5820d19fb2c2dc5cb94ee63969649281c101f19cb920e7c3352562734b84d1a933dd5854d2844da20128044893"
    "56fe0c1964a3bba0f65840944dc6f84e8e3f92de7a9a8eba351982ca2a2d19f1304baebb1620cc5767b1fe7be1287ef3b440b323b255a965"
    "533887ddbcac80e4c0853bdecdd1cddfd891a703590114a701010207035861a202818141000458588614a40150a872132d81405669ad6e15"
    "d5d0eb8c6602505028ba32f82757bc830685ce162ae00f035824822f5820c7aab7fbafd456789e92840d63c9a8ce503e32947380f9b9c43e"
    "b963677d5cda0e1a000249f0010f020f06448302010007558814a239010003390101023901000f3901010f030f094b8414a11744a1011878"
    "170214587e8814a3041a6b36ec801578396e693a2f2f2f7368612d3235363b783671332d365f55566e69656b6f514e59386d6f7a6c412d4d"
    "70527a67506d357844363559326439584e6f1819582fa3011a000249f0020003832f105820d91407593dfe1242ffaa70221e688602e97ee2"
    "a1f1213f483c124b4f933d8f7d040f1502030f";
inline constexpr std::string_view kPermit =
    "d2844da20128044879e581ec0abd27dda05845a501686465762d303030310211035820d19fb2c2dc5cb94ee63969649281c101f19cb920e7"
    "c3352562734b84d1a933dd0450000102030405060708090a0b0c0d0e0f05183c58408f8d5a5194c45fc0d18c452a4d85d977286a8d1804b5"
    "addf0e73a14e60c3aca8e0f79368bf0673172af6ab295d5b2dad806eca0c628e5a20372c54faaa8d0a79";

// The anchors and the ROM identity of docs/spec/keys.md.
inline constexpr std::string_view kAnchors =
    "a401010288844803affdf301e2d07e28584104b77c981e39cc6d299ec8d1cd8e6589909450c02ca7c17ab9cf8f7c3d01115fab15e584a7ed"
    "6e4d6f3359554448ea0545f310ac4fbb9bb68341e794aea2f83231018448a26570d639d292f12858410432aa59a0fb813b51df7a1c0776cd"
    "ebc4ebce82b0e745045b02750eae2caf23884f9fee556e940aa58edd8ed797f60173b4f7427ea75f4fa2a1a7478eeae6d00701844815a872"
    "a29de9e56328584104e83dba4ea9099f173bd79108421bfa75357d04452e1e2f96e1b5aaa1848da0061b0c5e84fd9ef02ab8571786b707b7"
    "9b50945b46a564441506b3a8228ccb41c20184489356fe0c1964a3bb285841042a65cd21e6223d1ebd3caedb8c223f9d6e5291eddd6f18d9"
    "c28e94240b97dba80171fb2ae114e5dbb8d7d9f77bbde9303c551688ac50be582393d7d4e0100f3a028448b2cfc638aa26e68e2858410406"
    "3324d6adbc4c1bd8f9f40ecc88199845f76fed9d9b0d81c2e934e3e3a224b5b9f1e36439231f18bd0ad833e46aad22ac875a8187d3253ba1"
    "c914f29421c41702844879e581ec0abd27dd2858410456235183bd533ad5ae7bb6fd9bb298e2f31ce6636605cded2fdc0e82ebc0ae4dc614"
    "70fd7a81d8c79be3c3cca864efc54f0fc5674891254d9528a96dd351ec1604844866baf449003b793c28584104a33b75bde8966cba4389cc"
    "381932723694b0de858b822492b7dd6e6b912fcbfb4f7047ffe29640eeac8f0bc82d8a92286832964bf2c74439db9b3d238185d342048448"
    "f21f9100b1a2a3e128584104229cbbf7bdda45f316f488cfeacc85317c7be83e12274054b610200fe46424c20238e5526d830926fcde9a28"
    "3cc5135e990510db6a489c58b625abcce29caa0d0803a401020201040108010480";
inline constexpr std::string_view kRomIdentity =
    "a40150a872132d81405669ad6e15d5d0eb8c6602505028ba32f82757bc830685ce162ae00f03020401";

// 150,000 bytes, byte i = (7i + (i >> 8) + 3) mod 256: image and payload.
inline std::vector<std::uint8_t> Image() {
  std::vector<std::uint8_t> image(150'000);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<std::uint8_t>(7 * i + (i >> 8) + 3);
  return image;
}

inline Manifest TheManifest() {
  Manifest manifest;
  manifest.sequence = 7;
  manifest.version = {.major = 2, .minor = 1, .patch = 0};
  manifest.vendor = HexTo<Uuid>(kVendor);
  manifest.cls = HexTo<Uuid>(kClass);
  manifest.image_digest = HexTo<Digest>(kImageDigest);
  manifest.image_bytes = 150'000;
  manifest.security_version = 3;
  manifest.min_board_revision = 2;
  manifest.trial_budget_s = 120;
  manifest.use_before = 1798761600;
  manifest.payload_digest = manifest.image_digest;
  manifest.payload_bytes = 150'000;
  manifest.tree_root = HexTo<Digest>(kTreeRoot);
  return manifest;
}

inline Permit ThePermit() {
  Permit permit;
  permit.device = "dev-0001";
  permit.job = 17;
  permit.manifest_digest = HexTo<Digest>(kManifestDigest);
  permit.nonce = HexTo<Nonce>("000102030405060708090a0b0c0d0e0f");
  permit.use_within_s = 60;
  return permit;
}

// A table with the two keys above and nothing else: DecodeAnchors would ask for root keys.
inline KeyTable TheKeys() {
  KeyTable table;
  table.keys.push_back({.kid = HexTo<KeyId>(kImageKid),
                        .public_key = HexTo<PublicKey>(kImageKey),
                        .roles = static_cast<std::uint8_t>(Role::kImage)});
  table.keys.push_back({.kid = HexTo<KeyId>(kDirectorKid),
                        .public_key = HexTo<PublicKey>(kDirectorKey),
                        .roles = static_cast<std::uint8_t>(Role::kDirector)});
  return table;
}

}  // namespace pawl::golden
