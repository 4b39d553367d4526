#include "trust/sign/anchors_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/hosted/files.h"
#include "trust/crypto/crypto.h"
#include "trust/sign/pem.h"
#include "trust/sign/soft/soft_key.h"
#include "trust/sign/temporary_folder.h"
#include "trust/verify/key_table.h"

namespace pawl::sign {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOffline[] = {"root-1", "root-2", "root-3", "image-2", "director-2"};

class Anchors : public ::testing::Test {
 protected:
  Reason ReasonNow(std::string_view names) {
    const auto made = EnsureAnchors(places_, keys_);
    if (made) return Reason::kNone;
    EXPECT_NE(made.error().detail.view().find(names), std::string_view::npos) << made.error().detail.view();
    return made.error().reason;
  }

  TemporaryFolder folder_;
  const AnchorsPlaces places_{folder_.file("anchors.cbor"), folder_.file("offline-keys"), folder_.path()};
  PerUse<PublicKey> keys_{{{SoftKey("image").public_key(), SoftKey("director").public_key(),
                            SoftKey("device").public_key(), SoftKey("server").public_key()}}};
};

TEST_F(Anchors, HoldThreeRootsTwoImageTwoDirectorKeysAndTheServerCa) {
  const auto made = EnsureAnchors(places_, keys_);
  ASSERT_TRUE(made) << made.error().detail.view();
  const auto table = DecodeAnchors(*made);
  ASSERT_TRUE(table);
  std::array<int, 9> count{};
  for (const Key& key : table->keys) ++count[key.roles];
  EXPECT_EQ(count[1], 3);
  EXPECT_EQ(count[2], 2);
  EXPECT_EQ(count[4], 2);
  EXPECT_EQ(count[8], 1);
  EXPECT_EQ(table->thresholds, (std::array<std::uint8_t, 4>{2, 1, 1, 1}));
  EXPECT_TRUE(FindKey(*table, crypto::KeyIdOf(keys_.of(KeyUse::kImage)), Role::kImage));
  EXPECT_TRUE(IsTlsRoot(*table, keys_.of(KeyUse::kServerCa)));
}

TEST_F(Anchors, TheOfflineKeysArePrivateAndTheirPublicHalvesAreListed) {
  const auto table = DecodeAnchors(*EnsureAnchors(places_, keys_));
  for (const std::string name : kOffline) {
    const std::string path = places_.offline_keys + "/" + name + ".pem";
    struct stat facts{};
    ASSERT_EQ(stat(path.c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777, 0600U);
    const PublicKey key = *PublicKeyOfPem(*ReadFile(path));
    EXPECT_TRUE(std::ranges::any_of(table->keys, [&](const Key& listed) { return listed.public_key == key; })) << name;
  }
  EXPECT_TRUE(fs::exists(places_.offline_keys + "/README.txt"));
}

TEST_F(Anchors, StayTheSameWhenTheOfflineKeysHaveMoved) {
  const auto made = EnsureAnchors(places_, keys_);
  fs::remove_all(places_.offline_keys);
  EXPECT_EQ(*EnsureAnchors(places_, keys_), *made);
  EXPECT_FALSE(fs::exists(places_.offline_keys));
}

TEST_F(Anchors, UseTheOfflineKeysThatAnInterruptedStartHasMade) {
  fs::create_directory(places_.offline_keys);
  const SoftKey root("root");
  ASSERT_TRUE(WriteFileDurably(places_.offline_keys + "/root-2.pem", root.PrivatePem(), 0600));
  const auto table = DecodeAnchors(*EnsureAnchors(places_, keys_));
  EXPECT_TRUE(FindKey(*table, root.kid(), Role::kRoot));
}

TEST_F(Anchors, ThatAreGoneAreNotMadeAnew) {
  ASSERT_TRUE(EnsureAnchors(places_, keys_));
  fs::remove(places_.anchors);
  EXPECT_EQ(ReasonNow(places_.anchors), Reason::kNotFound);
  EXPECT_FALSE(fs::exists(places_.anchors));
}

TEST_F(Anchors, ThatDoNotListAKeyOfTheHsmAreRefusedWithFileAndKeyNamed) {
  ASSERT_TRUE(EnsureAnchors(places_, keys_));
  for (const KeyUse use : {KeyUse::kImage, KeyUse::kDirector, KeyUse::kServerCa}) {
    const PublicKey before = std::exchange(keys_.of(use), SoftKey("another").public_key());
    EXPECT_EQ(ReasonNow(places_.anchors), Reason::kConflict);
    EXPECT_EQ(ReasonNow(kKeyUseNames[static_cast<std::size_t>(use)]), Reason::kConflict);
    keys_.of(use) = before;
  }
  keys_.of(KeyUse::kImage) = SoftKey("director").public_key();  // listed, but for permits
  EXPECT_EQ(ReasonNow("image"), Reason::kConflict);
}

TEST_F(Anchors, OfAnotherFirstStartAreRefusedEvenIfTheyFit) {
  ASSERT_TRUE(EnsureAnchors(places_, keys_));
  const TemporaryFolder other;
  const auto others = EnsureAnchors({other.file("a"), other.file("offline"), other.path()}, keys_);
  ASSERT_TRUE(WriteFileDurably(places_.anchors, AsText(*others), 0644));
  EXPECT_EQ(ReasonNow("anchors.sha256"), Reason::kConflict);
  fs::remove(folder_.file("anchors.sha256"));  // on purpose, as the message says
  EXPECT_EQ(ReasonNow(""), Reason::kNone);
}

TEST_F(Anchors, ThatAreDamagedAreRefusedByName) {
  ASSERT_TRUE(EnsureAnchors(places_, keys_));
  ASSERT_TRUE(WriteFileDurably(places_.anchors, "garbage", 0644));
  EXPECT_EQ(ReasonNow(places_.anchors), Reason::kMalformed);
}

}  // namespace
}  // namespace pawl::sign
