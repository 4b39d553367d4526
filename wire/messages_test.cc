#include "wire/messages.h"

#include <gtest/gtest.h>

namespace pawl::wire {
namespace {

TEST(DeviceId, TakesLowerCaseDigitsDotsDashesAndUnderscoresUpTo63) {
  for (const char* good : {"a", "0", "dev-0001", "a.b_c-d", "9x"}) EXPECT_TRUE(IsDeviceId(good)) << good;
  EXPECT_TRUE(IsDeviceId(std::string(63, 'a')));
  for (const char* bad : {"", "-a", ".a", "_a", "A", "a/b", "a+", "a#", "a b", "\xc3\xa4"}) {
    EXPECT_FALSE(IsDeviceId(bad)) << bad;
  }
  EXPECT_FALSE(IsDeviceId(std::string(64, 'a')));
  EXPECT_FALSE(IsDeviceId(std::string_view("a\0b", 3)));
}

TEST(Topics, AreBuiltAndTakenApart) {
  EXPECT_EQ(UpTopic(kDefaultTenant, "dev-1"), "pawl/1/default/dev-1/up");
  EXPECT_EQ(DownTopic(kDefaultTenant, "dev-1"), "pawl/1/default/dev-1/down");
  const auto parts = ParseUpTopic("pawl/1/default/dev-1/up");
  ASSERT_TRUE(parts.has_value());
  EXPECT_EQ(*parts, (TopicParts{"default", "dev-1"}));
}

TEST(Topics, RefuseEverythingElse) {
  for (const char* bad : {"", "pawl/1/default/dev-1/down", "pawl/2/default/dev-1/up", "pawl/1/default/up",
                          "pawl/1//dev-1/up", "pawl/1/default//up", "pawl/1/up", "pawl/1/a/b/c/up",
                          "pawl/1/default/Dev/up", "pawl/1/+/dev/up", "pawl/1//up"}) {
    EXPECT_FALSE(ParseUpTopic(bad).has_value()) << bad;
  }
}

TEST(Phases, AreReadBackFromTheirTexts) {
  for (int i = 0; i <= static_cast<int>(Phase::kCancelled); ++i) {
    const auto phase = static_cast<Phase>(i);
    const auto back = ParsePhase(Text(phase));
    ASSERT_TRUE(back.has_value()) << i;
    EXPECT_EQ(*back, phase);
  }
  EXPECT_FALSE(ParsePhase("rebooting").has_value());
}

TEST(Modes, AreReadBackFromTheirTexts) {
  for (const Mode mode : {Mode::kNormal, Mode::kTrial, Mode::kUnproven}) {
    const auto back = ParseMode(Text(mode));
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(*back, mode);
  }
  EXPECT_FALSE(ParseMode("").has_value());
}

}  // namespace
}  // namespace pawl::wire
