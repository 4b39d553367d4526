#include "cli/sse.h"

#include <gtest/gtest.h>

#include <vector>

namespace pawl::cli {
namespace {

std::vector<std::string> Parse(std::string_view bytes, std::size_t piece = 1 << 20) {
  SseParser parser;
  std::vector<std::string> events;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    const Status status = parser.Feed(bytes.substr(0, piece), [&](const SseEvent& event) {
      events.push_back(event.id + "|" + event.kind + "|" + event.data);
    });
    EXPECT_TRUE(status);
  }
  return events;
}
using Events = std::vector<std::string>;

TEST(SseParser, ReadsIdKindAndData) {
  EXPECT_EQ(Parse("id: 41\nevent: job.succeeded\ndata: {\"a\":1}\n\n"), Events{"41|job.succeeded|{\"a\":1}"});
}

TEST(SseParser, IgnoresCommentsRetryAndUnknownFields) {
  EXPECT_EQ(Parse(": heartbeat\n\nretry: 5\ncolour: red\ndata: x\n\n"), Events{"||x"});
}

TEST(SseParser, TakesEveryLineEndAndTheByteOrderMark) {
  EXPECT_EQ(Parse("\xef\xbb\xbf"
                  "data: a\r\n\r\ndata: b\r\rdata: c\n\n"),
            (Events{"||a", "||b", "||c"}));
}

TEST(SseParser, JoinsLinesOfData) { EXPECT_EQ(Parse("data: a\ndata\ndata:b\n\n"), Events{"||a\n\nb"}); }

TEST(SseParser, DropsAnEventThatIsNotEnded) { EXPECT_EQ(Parse("data: a\n\ndata: b\n"), Events{"||a"}); }

TEST(SseParser, KeepsTheIdOfEarlierEventsAndMovesItOnlyWithAWholeOne) {
  SseParser parser;
  const auto ignore = [](const SseEvent&) {};
  ASSERT_TRUE(parser.Feed("id: 7\ndata: a\n\nid: 8\ndata: b\n", ignore));
  EXPECT_EQ(parser.last_id(), "7");
  ASSERT_TRUE(parser.Feed("\ndata: c\n\n", ignore));
  EXPECT_EQ(parser.last_id(), "8");
}

TEST(SseParser, IsTheSameHoweverTheBytesAreCut) {
  const std::string_view stream = "id: 1\r\nevent: k\r\ndata: a\r\n\r\n: c\n\nid:2\rdata:b\r\rdata: c\ndata: d\n\n";
  const Events whole = Parse(stream);
  ASSERT_EQ(whole.size(), 3U);
  for (std::size_t piece = 1; piece < stream.size(); ++piece) EXPECT_EQ(Parse(stream, piece), whole) << piece;
}

TEST(SseParser, RefusesALineOrEventOverItsLimitForGood) {
  SseParser line;
  const auto none = [](const SseEvent&) { FAIL() << "no event was whole"; };
  EXPECT_FALSE(line.Feed(std::string(SseParser::kMaxLineBytes + 1, 'x'), none));
  EXPECT_FALSE(line.Feed("\n\ndata: a\n\n", none));
  SseParser event;
  const std::string part = "data: " + std::string(SseParser::kMaxLineBytes / 2, 'x') + "\n";
  Status status;
  for (int i = 0; i < 10 && status; ++i) status = event.Feed(part, none);
  EXPECT_FALSE(status);
}

}  // namespace
}  // namespace pawl::cli
