#include <gtest/gtest.h>

#include <vector>

#include "trust/manifest/manifest.h"

namespace pawl {
namespace {

TEST(Version, TextAndValueAreEachOthersInverse) {
  for (const char* text : {"0.0.0", "2.1.0", "4294967295.4294967295.4294967295", "2.1.0-rc", "2.1.0-rc.3",
                           "2.1.0-beta.0", "2.1.0-alpha.4294967295"}) {
    const auto version = ParseVersion(text);
    ASSERT_TRUE(version.has_value()) << text;
    EXPECT_EQ(ToText(*version).view(), text);
  }
}

TEST(Version, AnythingElseIsRefused) {
  for (const char* text : {"",
                           "2",
                           "2.1",
                           "2.1.",
                           "2.1.0.",
                           "2.1.0.4",
                           "v2.1.0",
                           " 2.1.0",
                           "2.1.0 ",
                           "02.1.0",
                           "2.1.00",
                           "-1.0.0",
                           "+1.0.0",
                           "4294967296.0.0",
                           "99999999999999999999.0.0",
                           "2.1.0-",
                           "2.1.0-gamma",
                           "2.1.0-rc.",
                           "2.1.0-rc.01",
                           "2.1.0-rc3",
                           "2.1.0-RC.3",
                           "2.1.0-rc.3.4",
                           "2..0"}) {
    const auto version = ParseVersion(text);
    ASSERT_FALSE(version.has_value()) << text;
    EXPECT_EQ(version.error().reason, Reason::kInvalidArgument);
  }
}

TEST(Version, TheOrderIsThatOfSuit) {
  const std::vector<const char*> ascending = {"1.9.9",    "2.0.0-alpha", "2.0.0-alpha.1", "2.0.0-beta",
                                              "2.0.0-rc", "2.0.0-rc.2",  "2.0.0-rc.10",   "2.0.0",
                                              "2.0.1",    "2.1.0",       "10.0.0"};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      const int order = CompareVersions(ParseVersion(ascending[i]).value(), ParseVersion(ascending[j]).value());
      EXPECT_EQ(order, i < j ? -1 : i > j ? 1 : 0) << ascending[i] << " " << ascending[j];
    }
  }
  EXPECT_EQ(CompareVersions(ParseVersion("2.0.0-rc").value(), ParseVersion("2.0.0-rc.0").value()), 0)
      << "a missing part counts as 0";
}

TEST(VersionMatch, HoldsAsItsComparisonSays) {
  using enum VersionMatch::Comparison;
  const auto holds = [](VersionMatch::Comparison comparison, const char* running) {
    return Matches({comparison, ParseVersion("2.0.0").value()}, ParseVersion(running).value());
  };
  struct Row {
    VersionMatch::Comparison comparison;
    bool older, same, newer;
  };
  for (const Row& row :
       {Row{kGreater, false, false, true}, Row{kGreaterEqual, false, true, true}, Row{kEqual, false, true, false},
        Row{kLesserEqual, true, true, false}, Row{kLesser, true, false, false}}) {
    EXPECT_EQ(holds(row.comparison, "2.0.0-rc.1"), row.older);
    EXPECT_EQ(holds(row.comparison, "2.0.0"), row.same);
    EXPECT_EQ(holds(row.comparison, "2.0.1"), row.newer);
  }
}

}  // namespace
}  // namespace pawl
