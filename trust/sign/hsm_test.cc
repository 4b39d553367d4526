#include "trust/sign/hsm.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <p11-kit/pkcs11.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "base/hosted/files.h"
#include "trust/crypto/crypto.h"
#include "trust/sign/faulty_module.h"
#include "trust/sign/own_token.h"
#include "trust/sign/temporary_folder.h"

namespace pawl::sign {
namespace {

namespace fs = std::filesystem;

HsmSettings SettingsIn(const TemporaryFolder& folder) {
  HsmSettings settings;
  settings.module = kSoftHsmModule;
  settings.token = "pawl";
  settings.pin_file = OwnPinFile(folder.path());
  settings.labels = {{{"pawl-image", "pawl-director", "pawl-device-ca", "pawl-server-ca"}}};
  return settings;
}

class OwnToken : public ::testing::Test {
 protected:
  void SetUp() override {
    const Status made = EnsureOwnToken(folder_.path(), settings_, true);
    ASSERT_TRUE(made) << made.error().detail.view();
  }

  TemporaryFolder folder_;
  HsmSettings settings_ = SettingsIn(folder_);
};

TEST_F(OwnToken, SignsWithEachKeyAndTheSignaturesHoldUnderItsPublicHalf) {
  Hsm hsm(settings_);
  const auto keys = hsm.Probe();
  ASSERT_TRUE(keys) << keys.error().detail.view();
  const Digest digest = crypto::Hash(AsBytes("text"));
  for (const KeyUse use : kKeyUses) {
    const auto signature = hsm.Sign(use, digest);
    ASSERT_TRUE(signature) << signature.error().detail.view();
    EXPECT_TRUE(crypto::VerifyP256(keys->of(use), digest, *signature));
  }
  EXPECT_NE(keys->of(KeyUse::kImage), keys->of(KeyUse::kDirector));
}

TEST_F(OwnToken, KeepsItsKeysAndPinAtTheNextStart) {
  const auto pin = ReadFile(settings_.pin_file);
  PerUse<PublicKey> before;
  {
    Hsm hsm(settings_);
    before = *hsm.Probe();
  }
  ASSERT_TRUE(EnsureOwnToken(folder_.path(), settings_, true));
  Hsm hsm(settings_);
  EXPECT_EQ(*hsm.Probe(), before);
  EXPECT_EQ(*ReadFile(settings_.pin_file), *pin);
}

TEST_F(OwnToken, ItsPinIsReadableByTheSignerAlone) {
  struct stat facts{};
  ASSERT_EQ(stat(settings_.pin_file.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
  EXPECT_GE(facts.st_size, 32);
  EXPECT_EQ(fs::status(folder_.file("tokens")).permissions() & fs::perms::others_all, fs::perms::none);
}

TEST_F(OwnToken, GoesAwayAndComesBack) {
  Hsm hsm(settings_);
  ASSERT_TRUE(hsm.Probe());
  const Digest digest = crypto::Hash(AsBytes("text"));
  fs::rename(folder_.file("tokens"), folder_.file("away"));
  const auto refused = hsm.Sign(KeyUse::kImage, digest);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().detail.view().find("C_"), std::string_view::npos) << refused.error().detail.view();
  const auto probed = hsm.Probe();
  ASSERT_FALSE(probed);
  EXPECT_EQ(probed.error().reason, Reason::kUnavailable);
  fs::rename(folder_.file("away"), folder_.file("tokens"));
  EXPECT_TRUE(hsm.Probe());
  EXPECT_TRUE(hsm.Sign(KeyUse::kImage, digest));
}

TEST_F(OwnToken, AWrongPinIsTriedOnceUntilItsFileChanges) {
  const std::string pin = *ReadFile(settings_.pin_file);
  ASSERT_TRUE(WriteFileDurably(settings_.pin_file, "not the pin\n", 0600));
  Hsm hsm(settings_);
  EXPECT_NE(hsm.Probe().error().detail.view().find("C_Login gave CKR_PIN_INCORRECT"), std::string_view::npos);
  EXPECT_NE(hsm.Probe().error().detail.view().find("correct that file"), std::string_view::npos);
  ASSERT_TRUE(WriteFileDurably(settings_.pin_file, pin, 0600));
  EXPECT_TRUE(hsm.Probe());
}

TEST_F(OwnToken, NamesTheKeyThatIsMissing) {
  settings_.labels.of(KeyUse::kDirector) = "another-label";
  Hsm hsm(settings_);
  const auto probed = hsm.Probe();
  ASSERT_FALSE(probed);
  EXPECT_EQ(probed.error().reason, Reason::kNotFound);
  EXPECT_NE(probed.error().detail.view().find("another-label"), std::string_view::npos);
}

TEST_F(OwnToken, AMissingModuleIsUnavailable) {
  settings_.module = folder_.file("no-such-module.so");
  Hsm hsm(settings_);
  EXPECT_EQ(hsm.Probe().error().reason, Reason::kUnavailable);
}

// Straight at the module, as an intruder with the PIN would.
TEST_F(OwnToken, ItsPrivateKeysCannotBeReadEvenWithThePin) {
  void* library = dlopen(kSoftHsmModule, RTLD_NOW);
  ASSERT_NE(library, nullptr);
  CK_FUNCTION_LIST* call = nullptr;
  ASSERT_EQ(reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"))(&call), CKR_OK);
  ASSERT_EQ(call->C_Initialize(nullptr), CKR_OK);
  CK_SLOT_ID slots[8];
  CK_ULONG count = 8;
  ASSERT_EQ(call->C_GetSlotList(CK_TRUE, slots, &count), CKR_OK);
  CK_SESSION_HANDLE session = 0;
  ASSERT_EQ(call->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session), CKR_OK);
  std::string pin = *ReadPin(settings_.pin_file);
  ASSERT_EQ(call->C_Login(session, CKU_USER, reinterpret_cast<CK_UTF8CHAR*>(pin.data()), pin.size()), CKR_OK);
  CK_OBJECT_CLASS private_key = CKO_PRIVATE_KEY;
  CK_ATTRIBUTE wanted = {CKA_CLASS, &private_key, sizeof private_key};
  ASSERT_EQ(call->C_FindObjectsInit(session, &wanted, 1), CKR_OK);
  CK_OBJECT_HANDLE keys[8];
  ASSERT_EQ(call->C_FindObjects(session, keys, 8, &count), CKR_OK);
  ASSERT_EQ(call->C_FindObjectsFinal(session), CKR_OK);
  ASSERT_EQ(count, kKeyUses.size());
  for (CK_ULONG i = 0; i < count; ++i) {
    std::uint8_t value[64];
    CK_ATTRIBUTE attribute = {CKA_VALUE, value, sizeof value};
    EXPECT_EQ(call->C_GetAttributeValue(session, keys[i], &attribute, 1), CKR_ATTRIBUTE_SENSITIVE);
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE loosen = {CKA_EXTRACTABLE, &yes, sizeof yes};
    EXPECT_NE(call->C_SetAttributeValue(session, keys[i], &loosen, 1), CKR_OK);
  }
  EXPECT_EQ(call->C_Finalize(nullptr), CKR_OK);
}

// --- The HSM fails, hangs, lies ---

class FaultyHsm : public OwnToken {
 protected:
  void SetUp() override {
    OwnToken::SetUp();
    settings_.module = PAWL_FAULTY_MODULE;
    library_ = dlopen(PAWL_FAULTY_MODULE, RTLD_NOW);
    ASSERT_NE(library_, nullptr) << dlerror();
    fault_ = reinterpret_cast<PawlFault*>(dlsym(library_, "pawl_fault"));
    hang_ = reinterpret_cast<PawlHang*>(dlsym(library_, "pawl_hang"));
    lie_ = reinterpret_cast<PawlLie*>(dlsym(library_, "pawl_lie"));
    hsm_ = std::make_unique<Hsm>(settings_);
    ASSERT_TRUE(hsm_->Probe());
  }
  void TearDown() override {
    hsm_.reset();
    dlclose(library_);
  }

  static constexpr const char* kOpening[] = {
      "C_Initialize",      "C_GetSlotList", "C_OpenSession",      "C_Login",
      "C_FindObjectsInit", "C_FindObjects", "C_FindObjectsFinal", "C_GetAttributeValue"};
  static constexpr const char* kSigning[] = {"C_SignInit", "C_Sign"};
  static constexpr CK_RV kCodes[] = {CKR_DEVICE_REMOVED, CKR_GENERAL_ERROR, CKR_SESSION_HANDLE_INVALID};

  void* library_ = nullptr;
  PawlFault* fault_ = nullptr;
  PawlHang* hang_ = nullptr;
  PawlLie* lie_ = nullptr;
  std::unique_ptr<Hsm> hsm_;
  const Digest digest_ = crypto::Hash(AsBytes("text"));
};

TEST_F(FaultyHsm, ASessionThatDiedIsReplacedWithoutAnError) {
  for (const char* call : kSigning) {
    for (const CK_RV code : kCodes) {
      fault_(call, code, 1);
      EXPECT_TRUE(hsm_->Sign(KeyUse::kImage, digest_)) << call;
    }
  }
}

TEST_F(FaultyHsm, ItsErrorNamesCallAndCodeAndItGoesOnByItself) {
  for (const char* call : kSigning) {
    for (const CK_RV code : kCodes) {
      fault_(call, code, 2);
      const auto refused = hsm_->Sign(KeyUse::kImage, digest_);
      ASSERT_FALSE(refused) << call;
      const std::string expected = std::string(call) + " gave " + Pkcs11CodeName(code);
      EXPECT_NE(refused.error().detail.view().find(expected), std::string_view::npos) << refused.error().detail.view();
      EXPECT_TRUE(hsm_->Sign(KeyUse::kImage, digest_)) << call;
    }
  }
}

TEST_F(FaultyHsm, ItFailsAtEveryCallOfOpeningAndGoesOnByItself) {
  for (const char* call : kOpening) {
    for (const CK_RV code : kCodes) {
      Hsm fresh(settings_);
      hsm_.reset();  // one user of the module at a time
      fault_(call, code, 1);
      const auto refused = fresh.Probe();
      ASSERT_FALSE(refused) << call;
      const std::string expected = std::string(call) + " gave " + Pkcs11CodeName(code);
      EXPECT_NE(refused.error().detail.view().find(expected), std::string_view::npos) << refused.error().detail.view();
      EXPECT_TRUE(refused.error().reason == Reason::kUnavailable || refused.error().reason == Reason::kHsm);
      EXPECT_TRUE(fresh.Probe()) << call;
    }
  }
}

TEST_F(FaultyHsm, WhileItHangsOthersAreToldSo) {
  hang_(true);
  Result<Signature> hung = Fail(Reason::kNone);
  std::jthread first([&] { hung = hsm_->Sign(KeyUse::kImage, digest_); });
  // Whoever comes second waits kMaxHsmWait and gives up; if that was not `first`, it is waiting inside C_Sign now.
  Result<PerUse<PublicKey>> second = hsm_->Probe();
  while (second) second = hsm_->Probe();
  EXPECT_EQ(second.error().reason, Reason::kUnavailable);
  EXPECT_NE(second.error().detail.view().find("has not come back"), std::string_view::npos);
  hang_(false);
  first.join();
  EXPECT_TRUE(hung);
  EXPECT_TRUE(hsm_->Probe());
}

TEST_F(FaultyHsm, AWrongSignatureIsNeverReturned) {
  HsmKey key(*hsm_, KeyUse::kImage, hsm_->Probe()->of(KeyUse::kImage));
  lie_(true);
  EXPECT_EQ(SignChecked(key, digest_).error().reason, Reason::kInvalidSignature);
  lie_(false);
  EXPECT_TRUE(SignChecked(key, digest_));
}

}  // namespace
}  // namespace pawl::sign
