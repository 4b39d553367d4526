// The port's contract, run against each implementation.
#include "trust/crypto/crypto.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/text.h"
#include "trust/crypto/p256.h"

namespace pawl::crypto {
namespace {

template <class T>
T HexTo(std::string_view hex) {
  T bytes{};
  EXPECT_TRUE(HexDecode(hex, bytes).has_value());
  return bytes;
}

// RFC 6979, A.2.5: key, and its signature over "sample" with SHA-256.
const PublicKey kKey = HexTo<PublicKey>(
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f51"
    "77a3c294d4462299");
const Signature kSignature = HexTo<Signature>(
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064"
    "dc4ab2f843acda8");
const Digest kDigest = Hash(AsBytes("sample"));

std::array<std::uint8_t, 32> Half(std::ptrdiff_t which) {
  std::array<std::uint8_t, 32> half{};
  std::copy_n(kSignature.begin() + 32 * which, 32, half.begin());
  return half;
}

Signature Join(const std::array<std::uint8_t, 32>& r, const std::array<std::uint8_t, 32>& s) {
  Signature signature{};
  std::ranges::copy(s, std::ranges::copy(r, signature.begin()).out);
  return signature;
}

TEST(Sha256, MatchesTheExamplesOfFips180) {
  EXPECT_EQ(Hash({}), HexTo<Digest>("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
  EXPECT_EQ(Hash(AsBytes("abc")), HexTo<Digest>("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
  Sha256 million;
  for (int i = 0; i < 1000; ++i) million.Update(std::vector<std::uint8_t>(1000, 'a'));
  EXPECT_EQ(million.Finish(), HexTo<Digest>("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"));
}

TEST(Sha256, GivesTheSameDigestHoweverTheBytesAreCut) {
  const std::vector<std::uint8_t> bytes(200, 7);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    Sha256 hash;
    hash.Update(ByteView(bytes).first(cut));
    Sha256 copy = hash;
    copy.Update(ByteView(bytes).subspan(cut));
    EXPECT_EQ(copy.Finish(), Hash(bytes));
    hash.Update(ByteView(bytes).subspan(cut));
    EXPECT_EQ(hash.Finish(), Hash(bytes)) << "a copy took its original along";
  }
}

TEST(VerifyP256, TakesTheSignatureOfRfc6979) { EXPECT_TRUE(VerifyP256(kKey, kDigest, kSignature)); }

TEST(VerifyP256, RefusesEverySingleBitFlipOfSignatureDigestAndKey) {
  for (std::size_t bit = 0; bit < 8 * sizeof(Signature); ++bit) {
    Signature signature = kSignature;
    signature[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(VerifyP256(kKey, kDigest, signature)) << "signature bit " << bit;
  }
  for (std::size_t bit = 0; bit < 8 * sizeof(Digest); ++bit) {
    Digest digest = kDigest;
    digest[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(VerifyP256(kKey, digest, kSignature)) << "digest bit " << bit;
  }
  for (std::size_t bit = 0; bit < 8 * sizeof(PublicKey); ++bit) {
    PublicKey key = kKey;
    key[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(VerifyP256(key, kDigest, kSignature)) << "key bit " << bit;
  }
}

TEST(VerifyP256, RefusesRAndSOutsideOneToOrderMinusOne) {
  const std::array<std::uint8_t, 32> zero{};
  std::array<std::uint8_t, 32> over = kP256Order;
  over.back() = static_cast<std::uint8_t>(over.back() + 1);
  std::array<std::uint8_t, 32> ones;
  ones.fill(0xff);
  for (const auto& bad : {zero, kP256Order, over, ones}) {
    EXPECT_FALSE(VerifyP256(kKey, kDigest, Join(bad, Half(1)))) << "r";
    EXPECT_FALSE(VerifyP256(kKey, kDigest, Join(Half(0), bad))) << "s";
    EXPECT_FALSE(VerifyP256(kKey, kDigest, Join(bad, bad))) << "both";
    EXPECT_FALSE(IsP256Scalar(bad));
  }
  std::array<std::uint8_t, 32> last = kP256Order;
  last.back() = static_cast<std::uint8_t>(last.back() - 1);
  std::array<std::uint8_t, 32> one{};
  one.back() = 1;
  EXPECT_TRUE(IsP256Scalar(last));
  EXPECT_TRUE(IsP256Scalar(one));
}

// r + n verifies in code that reduces before it checks the range. Only an r below 2^256 - n has such a twin, so this
// key was made for a signature with r = 5.
TEST(VerifyP256, RefusesTheCongruentTwinOfASmallR) {
  const auto key = HexTo<PublicKey>(
      "040c06898ac850dae30ab1bd4531357a90ef16e116a81eae7ee012af84c9262ff5ef8e1d7a7963b38764858e9ec775e4d4b52e7df661aaa2"
      "948d142a9c38f61a12");
  std::array<std::uint8_t, 32> r{};
  r.back() = 5;
  const auto s =
      HexTo<std::array<std::uint8_t, 32>>("0000000000000000000000000000000000000000000000001234567890abcdef");
  EXPECT_TRUE(VerifyP256(key, kDigest, Join(r, s)));
  std::array<std::uint8_t, 32> twin = kP256Order;
  twin.back() = static_cast<std::uint8_t>(twin.back() + 5);
  EXPECT_FALSE(VerifyP256(key, kDigest, Join(twin, s)));
}

TEST(VerifyP256, RefusesDerInPlaceOfTheRawForm) {
  Signature der{};
  const auto start = HexTo<std::array<std::uint8_t, 5>>("3046022100");
  std::ranges::copy(start, der.begin());
  std::copy_n(kSignature.begin(), der.size() - start.size(), der.begin() + start.size());
  EXPECT_FALSE(VerifyP256(kKey, kDigest, der));
}

TEST(VerifyP256, RefusesKeysThatAreNoPointOfTheCurve) {
  PublicKey infinity{};
  EXPECT_FALSE(VerifyP256(infinity, kDigest, kSignature));
  PublicKey zero{};
  zero[0] = 4;
  EXPECT_FALSE(VerifyP256(zero, kDigest, kSignature));
  for (const int form : {0, 2, 3, 5, 6, 7}) {
    PublicKey key = kKey;
    key[0] = static_cast<std::uint8_t>(form);
    EXPECT_FALSE(VerifyP256(key, kDigest, kSignature)) << "form " << form;
  }
}

TEST(KeyId, IsTheStartOfTheDigestOverTheDerSubjectPublicKeyInfo) {
  const auto key = HexTo<PublicKey>(
      "042a65cd21e6223d1ebd3caedb8c223f9d6e5291eddd6f18d9c28e94240b97dba80171fb2ae114e5dbb8d7d9f77bbde9303c551688ac50be"
      "582393d7d4e0100f3a");
  EXPECT_EQ(KeyIdOf(key), HexTo<KeyId>("9356fe0c1964a3bb"));
  const Digest spki = SpkiDigestOf(key);
  EXPECT_TRUE(Equal(ByteView(spki).first(8), KeyIdOf(key)));
}

}  // namespace
}  // namespace pawl::crypto
