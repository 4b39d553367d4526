#include "agent/core/content_range.h"

#include <gtest/gtest.h>

namespace pawl::agent {
namespace {

TEST(ContentRange, TakesWhatAServerSays) {
  const auto range = ParseContentRange("bytes 65536-131071/150000");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->first, 65536U);
  EXPECT_EQ(range->last, 131071U);
  EXPECT_EQ(range->total, 150000U);
  EXPECT_FALSE(ParseContentRange("bytes 0-0/*").value().total);
}

TEST(ContentRange, RefusesEverythingElse) {
  for (const char* bad :
       {"", "bytes", "bytes ", "bytes 0-/5", "bytes -5/10", "bytes 5-4/10", "bytes 0-10/10", "bytes */10",
        "bytes 0-1/2 ", " bytes 0-1/2", "bytes 0-1/2x", "octets 0-1/2", "bytes 0-1/", "bytes +0-1/2",
        "bytes 0-99999999999999999999/*", "bytes 0-1/*x", "bytes=0-1/2", "bytes 0 -1/2"}) {
    EXPECT_FALSE(ParseContentRange(bad)) << bad;
  }
}

}  // namespace
}  // namespace pawl::agent
