#include "trust/sign/soft/soft_key.h"

#include <gtest/gtest.h>

#include "base/hosted/files.h"
#include "base/text.h"
#include "trust/crypto/crypto.h"
#include "trust/sign/artifact.h"
#include "trust/sign/pem.h"
#include "trust/sign/release.h"
#include "trust/sign/temporary_folder.h"
#include "trust/verify/golden.h"

namespace pawl::sign {
namespace {

std::string Hex(ByteView bytes) {
  std::string text(2 * bytes.size(), '\0');
  HexEncode(bytes, text);
  return text;
}

// RFC 6979, appendix A.2.5: P-256 with SHA-256, message "sample".
TEST(SoftKey, SignsAsRfc6979States) {
  const TemporaryFolder folder;
  Digest scalar{};
  ASSERT_TRUE(HexDecode("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721", scalar));
  PublicKey public_key;
  ASSERT_TRUE(
      HexDecode("0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc"
                "64f2f1b20c2d7e9f5177a3c294d4462299",
                public_key));
  ASSERT_TRUE(WriteFileDurably(folder.file("key.pem"), PrivateKeyPem(scalar, public_key), 0600));
  auto key = SoftKey::FromPem(folder.file("key.pem"));
  ASSERT_TRUE(key);
  EXPECT_EQ(key->public_key(), public_key);
  EXPECT_EQ(Hex(*key->Sign(crypto::Hash(AsBytes("sample")))),
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
            "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
}

TEST(SoftKey, ItsPemGivesTheSameKeyBack) {
  const TemporaryFolder folder;
  const SoftKey key("a seed");
  ASSERT_TRUE(WriteFileDurably(folder.file("key.pem"), key.PrivatePem(), 0600));
  EXPECT_EQ(SoftKey::FromPem(folder.file("key.pem"))->public_key(), key.public_key());
}

TEST(SoftKey, RefusesWhatIsNoP256Key) {
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder.file("key.pem"), "-----BEGIN PRIVATE KEY-----\nAAAA\n", 0600));
  EXPECT_EQ(SoftKey::FromPem(folder.file("key.pem")).error().reason, Reason::kMalformed);
  EXPECT_EQ(SoftKey::FromPem(folder.file("none.pem")).error().reason, Reason::kNotFound);
}

TEST(SignManifest, GivesTheSpecificationsEnvelope) {
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder.file("image"), AsText(golden::Image()), 0600));
  ReleaseFacts facts{.vendor = "pawl.example", .class_name = "virtual-1", .sequence = 7, .version = {2, 1, 0}};
  facts.security_version = 3;
  facts.min_board_revision = 2;
  facts.trial_budget_s = 120;
  facts.use_before = 1798761600;
  SoftKey key("pawl throw-away image key 1");
  const auto made = SignManifest(ManifestOf(facts, *MeasureFile(folder.file("image"))), key);
  ASSERT_TRUE(made) << made.error().detail.view();
  EXPECT_EQ(Hex(made->envelope), golden::kEnvelope);
}

TEST(SignPermit, GivesTheSpecificationsPermit) {
  SoftKey key("pawl throw-away director key 1");
  EXPECT_EQ(Hex(*SignPermit(golden::ThePermit(), key)), golden::kPermit);
}

// A key whose signatures do not hold under its public half: as an HSM with the wrong key, or a broken one.
class WrongKey final : public SigningKey {
 public:
  const PublicKey& public_key() const override { return public_half_.public_key(); }
  Result<Signature> Sign(const Digest& digest) override { return private_half_.Sign(digest); }

 private:
  SoftKey public_half_{"one"};
  SoftKey private_half_{"another"};
};

TEST(SignManifest, NeverReturnsASignatureThatDoesNotHold) {
  WrongKey key;
  EXPECT_EQ(SignChecked(key, Digest{}).error().reason, Reason::kInvalidSignature);
  EXPECT_EQ(SignManifest(golden::TheManifest(), key).error().reason, Reason::kInvalidSignature);
  EXPECT_EQ(SignPermit(golden::ThePermit(), key).error().reason, Reason::kInvalidSignature);
}

}  // namespace
}  // namespace pawl::sign
