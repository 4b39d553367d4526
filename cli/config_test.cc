#include "cli/config.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "cli/private_file.h"

namespace pawl::cli {
namespace {

constexpr const char* kStoredToken = "pawl_stored_aaaaaaaaaaaaaaaaaaaaaaaa";
constexpr const char* kOtherToken = "pawl_other_bbbbbbbbbbbbbbbbbbbbbbbbb";

class Config : public ::testing::Test {
 protected:
  Config() {
    std::string pattern = ::testing::TempDir() + "pawl-config-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    for (const char* name : {"PAWL_URL", "PAWL_CA", "PAWL_TOKEN", "XDG_CONFIG_HOME"}) ::unsetenv(name);
    ::setenv("PAWL_CONFIG", path().c_str(), 1);
  }
  ~Config() override {
    for (const char* name : {"PAWL_URL", "PAWL_CA", "PAWL_TOKEN", "PAWL_CONFIG"}) ::unsetenv(name);
    std::filesystem::remove_all(folder_);
  }

  std::filesystem::path path() const { return folder_ / "new folder" / "config.toml"; }
  void Store() { ASSERT_TRUE(SaveProfile(path(), {"https://stored:1", "/stored/ca.pem", kStoredToken})); }
  std::string TokenFile() {
    const std::filesystem::path file = folder_ / "token";
    std::ofstream(file) << kOtherToken << "\n";
    return file.string();
  }

  std::filesystem::path folder_;
};

TEST_F(Config, ASavedProfileComesBackAndIsPrivate) {
  Store();
  const auto loaded = LoadProfile(path());
  ASSERT_TRUE(loaded && *loaded);
  EXPECT_EQ((*loaded)->url, "https://stored:1");
  EXPECT_EQ((*loaded)->ca, "/stored/ca.pem");
  EXPECT_EQ((*loaded)->token, kStoredToken);
  struct stat status{};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  ASSERT_EQ(::stat(path().parent_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
}

TEST_F(Config, AProfileThatOthersMayReadIsRefused) {
  Store();
  ASSERT_EQ(::chmod(path().c_str(), 0640), 0);
  const auto loaded = LoadProfile(path());
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().remedy.find("chmod 600"), std::string::npos);
}

TEST_F(Config, NoProfileIsNoFailureAndABrokenOneNamesItsLine) {
  const auto none = LoadProfile(path());
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  Store();
  std::ofstream(path()) << "url = \"https://a\"\ntoken = = \n";
  const auto broken = LoadProfile(path());
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message.find("line 2"), std::string::npos) << broken.error().message;
}

TEST_F(Config, FlagsOverrideEnvironmentOverridesProfile) {
  Store();
  EXPECT_EQ(ResolveProfile({})->url, "https://stored:1");
  EXPECT_EQ(ResolveProfile({})->token, kStoredToken);
  ::setenv("PAWL_URL", "https://environment:2", 1);
  ::setenv("PAWL_CA", "/environment/ca.pem", 1);
  ::setenv("PAWL_TOKEN", "pawl_environment_x", 1);
  EXPECT_EQ(ResolveProfile({})->url, "https://environment:2");
  EXPECT_EQ(ResolveProfile({})->ca, "/environment/ca.pem");
  EXPECT_EQ(ResolveProfile({})->token, "pawl_environment_x");
  const auto flags = ResolveProfile({"https://flag:3/", "/flag/ca.pem", TokenFile()});
  EXPECT_EQ(flags->url, "https://flag:3");
  EXPECT_EQ(flags->ca, "/flag/ca.pem");
  EXPECT_EQ(flags->token, kOtherToken);
}

TEST_F(Config, TheStoredTokenIsNeverForAnotherPlatform) {
  Store();
  const auto other = ResolveProfile({"https://other:1", "", ""});
  ASSERT_TRUE(other);
  EXPECT_EQ(other->token, "");
}

TEST_F(Config, WithoutAnyPlatformTheRemedyIsToLogIn) {
  const auto profile = ResolveProfile({});
  ASSERT_FALSE(profile);
  EXPECT_EQ(profile.error().exit, Exit::kAuth);
  EXPECT_NE(profile.error().remedy.find("pawl login"), std::string::npos);
}

TEST_F(Config, OnlyAPlainHttpsAddressIsAPlatform) {
  EXPECT_EQ(*PlainUrl("https://127.0.0.1:8443//"), "https://127.0.0.1:8443");
  EXPECT_EQ(*PlainUrl("https://[::1]:8443"), "https://[::1]:8443");
  for (const char* url : {"", "127.0.0.1:8443", "http://a", "https://", "https://user@host", "https://host/path",
                          "https://host?x", "file:///etc/passwd"}) {
    EXPECT_FALSE(PlainUrl(url)) << url;
  }
}

TEST_F(Config, ATokenIsOneLineAndLooksLikeOne) {
  EXPECT_EQ(*PlainToken("pawl_a_b\r\n"), "pawl_a_b");
  for (const char* text : {"", "\n", "secret", "pawl_a b", "pawl_a\nX-Header: b"})
    EXPECT_FALSE(PlainToken(text)) << text;
}

TEST_F(Config, AFailureNeverRepeatsTheToken) {
  EXPECT_EQ(PlainToken("pawl_sec ret").error().message.find("sec"), std::string::npos);
}

TEST_F(Config, AnUncommittedPrivateFileLeavesNothing) {
  {
    auto file = PrivateFile::Create(folder_ / "x", false);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->Write("secret"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(Config, APrivateFileReplacesOnlyIfAskedEvenIfTheFileAppearsLate) {
  auto file = PrivateFile::Create(folder_ / "x", false);
  ASSERT_TRUE(file);
  std::ofstream(folder_ / "x") << "theirs";
  EXPECT_FALSE(PrivateFile::Create(folder_ / "x", false));
  EXPECT_FALSE(file->Commit());
  auto replacing = PrivateFile::Create(folder_ / "x", true);
  ASSERT_TRUE(replacing && replacing->Write("ours") && replacing->Commit());
  EXPECT_EQ(*ReadSmallFile(folder_ / "x"), "ours");
}

}  // namespace
}  // namespace pawl::cli
