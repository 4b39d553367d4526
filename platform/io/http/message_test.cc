#include "platform/io/http/message.h"

#include <gtest/gtest.h>

#include "platform/io/http/router.h"

namespace pawl::http {
namespace {

TEST(ParseTarget, DecodesPathAndQuery) {
  const auto target = ParseTarget("/a/b%20c?x=1&y=a%26b&flag&z=p+q");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/a/b c");
  const Fields expected = {{"x", "1"}, {"y", "a&b"}, {"flag", ""}, {"z", "p q"}};
  EXPECT_EQ(target->query, expected);
}

TEST(ParseTarget, RefusesWhatCouldMeanAnotherPath) {
  for (const char* text : {"", "a", "http://a/b", "*", "/a/../b", "/..", "/a/.", "/%2e%2e/b", "/a%2Fb", "/a%00b", "/a%",
                           "/a%2", "/a%zz", "/a%0d%0aX: y", "/?a=%0a"}) {
    EXPECT_FALSE(ParseTarget(text)) << text;
  }
  EXPECT_EQ(ParseTarget("/" + std::string(kMaxTargetBytes, 'a')).error().reason, Reason::kTooLarge);
  std::string many = "/?";
  for (std::size_t i = 0; i <= kMaxQueryFields; ++i) many += "a=b&";
  EXPECT_EQ(ParseTarget(many).error().reason, Reason::kTooLarge);
}

struct RangeRow {
  const char* header;
  RangeKind kind;
  std::uint64_t first;
  std::uint64_t bytes;
};

TEST(DecideRange, FollowsTheTable) {
  constexpr std::uint64_t kSize = 1000;
  const RangeRow rows[] = {
      {"bytes=0-0", RangeKind::kPart, 0, 1},
      {"bytes=0-999", RangeKind::kPart, 0, 1000},
      {"bytes=0-1000", RangeKind::kPart, 0, 1000},
      {"bytes=500-", RangeKind::kPart, 500, 500},
      {"bytes=999-", RangeKind::kPart, 999, 1},
      {"bytes=-1", RangeKind::kPart, 999, 1},
      {"bytes=-5000", RangeKind::kPart, 0, 1000},
      {"bytes= 1-2 ", RangeKind::kPart, 1, 2},
      {"bytes=1000-", RangeKind::kUnsatisfiable, 0, 0},
      {"bytes=1000-2000", RangeKind::kUnsatisfiable, 0, 0},
      {"bytes=-0", RangeKind::kUnsatisfiable, 0, 0},
      {"", RangeKind::kWhole, 0, 0},
      {"bytes=", RangeKind::kWhole, 0, 0},
      {"bytes=-", RangeKind::kWhole, 0, 0},
      {"bytes=5-4", RangeKind::kWhole, 0, 0},
      {"bytes=a-b", RangeKind::kWhole, 0, 0},
      {"bytes=1-2,4-5", RangeKind::kWhole, 0, 0},
      {"bytes=+1-2", RangeKind::kWhole, 0, 0},
      {"bytes=99999999999999999999-", RangeKind::kWhole, 0, 0},
      {"lines=1-2", RangeKind::kWhole, 0, 0},
      {"bytes 1-2", RangeKind::kWhole, 0, 0},
  };
  for (const RangeRow& row : rows) {
    const RangeDecision decision = DecideRange(row.header, kSize);
    EXPECT_EQ(decision.kind, row.kind) << row.header;
    EXPECT_EQ(decision.range.first, row.first) << row.header;
    EXPECT_EQ(decision.range.bytes, row.bytes) << row.header;
  }
}

Response Ask(Fields headers) {
  Request request;
  request.headers = std::move(headers);
  return FileResponse(request, {nullptr, 3, 0, 100}, "\"tag\"", "application/octet-stream");
}

TEST(FileResponse, AnswersConditionsAndRanges) {
  EXPECT_EQ(Ask({}).status, 200);
  EXPECT_EQ(Ask({}).file->bytes, 100U);
  EXPECT_EQ(Ask({{"range", "bytes=10-19"}}).status, 206);
  EXPECT_EQ(Ask({{"range", "bytes=10-19"}}).file->offset, 10U);
  EXPECT_EQ(Ask({{"range", "bytes=100-"}}).status, 416);
  EXPECT_FALSE(Ask({{"range", "bytes=100-"}}).file);
  EXPECT_EQ(Ask({{"if-none-match", "\"tag\""}}).status, 304);
  EXPECT_EQ(Ask({{"if-none-match", "W/\"tag\", \"x\""}}).status, 304);
  EXPECT_EQ(Ask({{"if-none-match", "*"}}).status, 304);
  EXPECT_EQ(Ask({{"if-none-match", "\"other\""}}).status, 200);
  EXPECT_EQ(Ask({{"if-match", "\"other\""}}).status, 412);
  EXPECT_EQ(Ask({{"if-match", "W/\"tag\""}}).status, 412);
  EXPECT_EQ(Ask({{"if-match", "\"tag\""}, {"range", "bytes=0-1"}}).status, 206);
  EXPECT_EQ(Ask({{"range", "bytes=10-19"}, {"if-range", "\"tag\""}}).status, 206);
  EXPECT_EQ(Ask({{"range", "bytes=10-19"}, {"if-range", "\"other\""}}).status, 200);
  EXPECT_EQ(Ask({{"range", "bytes=10-19"}, {"if-range", "W/\"tag\""}}).status, 200);
  EXPECT_EQ(Ask({{"range", "bytes=500-"}, {"if-range", "\"other\""}}).status, 200);
}

TEST(Router, FindsPatternsAndTellsMethodsApart) {
  Router router;
  const auto handler = [](Request&) { return Response{}; };
  router.Add({"GET", "/a/{x}/c", handler});
  router.Add({"POST", "/a/{x}/c", handler});
  router.Add({"GET", "/a/b", handler});
  const auto found = router.Find("GET", "/a/b/c");
  ASSERT_NE(found.route, nullptr);
  EXPECT_EQ(found.parameters, (Fields{{"x", "b"}}));
  EXPECT_EQ(router.Find("DELETE", "/a/b/c").allow, "GET, POST");
  for (const char* path : {"/a", "/a/", "/a/b/", "/a//c", "/a/b/c/d", "/", "/A/b"}) {
    EXPECT_EQ(router.Find("GET", path).route, nullptr) << path;
    EXPECT_EQ(router.Find("GET", path).allow, "") << path;
  }
}

}  // namespace
}  // namespace pawl::http
