#include "cli/table.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "cli/campaign.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "cli/text.h"

namespace pawl::cli {
namespace {

Terminal Pipe() { return {}; }
Terminal Screen(std::size_t columns) {
  Terminal terminal;
  terminal.out_is_tty = terminal.colours = true;
  terminal.columns = columns;
  return terminal;
}

TEST(Table, AlignsByWidthAndLeavesNoTrailingSpace) {
  Table table({{"NAME"}, {"SIZE", true}, {"WHY"}});
  table.Add({{"設備"}, {"7"}, {"x"}});
  table.Add({{"a"}, {"1234"}, {""}});
  EXPECT_EQ(table.Text(Pipe()),
            "NAME  SIZE  WHY\n"
            "設備     7  x\n"
            "a     1234\n");
}

TEST(Table, CutsTheLastColumnToTheTerminalAndNotInAPipe) {
  Table table({{"A"}, {"LONG"}});
  table.Add({{"1"}, {"a very long text that does not fit"}});
  EXPECT_NE(table.Text(Pipe()).find("does not fit"), std::string::npos);
  const std::string text = table.Text(Screen(20));
  EXPECT_NE(text.find("a very long text…"), std::string::npos) << text;
}

TEST(Table, ColoursOnlyWhereColoursAreWanted) {
  Table table({{"STATE"}});
  table.Add({{"active", Colour::kGood}});
  EXPECT_EQ(table.Text(Pipe()).find('\x1b'), std::string::npos);
  EXPECT_NE(table.Text(Screen(80)).find("\x1b[32mactive\x1b[0m"), std::string::npos);
}

TEST(Facts, AlignsTheValues) {
  Facts facts;
  facts.Add("id", "x");
  facts.Add("longer", "y");
  EXPECT_EQ(facts.Text(Pipe()), "id      x\nlonger  y\n");
}

TEST(Bar, IsAsFullAsThePart) {
  EXPECT_EQ(Bar(0, 10, 12), "[..........]");
  EXPECT_EQ(Bar(5, 10, 12), "[#####.....]");
  EXPECT_EQ(Bar(10, 10, 12), "[##########]");
  EXPECT_EQ(Bar(99, 10, 12), "[##########]");
  EXPECT_EQ(Bar(1, 0, 12), "[..........]");
}

TEST(CampaignCounts, CountsEachDeviceOnceAndTimedOutAsAMark) {
  const auto campaign = boost::json::parse(
      R"({"counts":{"queued":1,"offered":1,"trial":1,"succeeded":4,"rolled_back":2,"refused":1,"cancelled":0,"lost":1,"timed_out":2}})");
  const CampaignCounts counts(campaign);
  EXPECT_EQ(counts.total, 11U);
  EXPECT_EQ(counts.open, 3U);
  EXPECT_EQ(counts.succeeded, 4U);
  EXPECT_EQ(counts.failed(), 4U);
  EXPECT_FALSE(counts.ended());
  const std::string text = CountsText(Pipe(), campaign);
  EXPECT_NE(text.find("  rolled_back  [#####"), std::string::npos) << text;
  EXPECT_NE(text.find("2 of them timed out"), std::string::npos);
  EXPECT_EQ(text.find("cancelled"), std::string::npos);
}

TEST(CampaignCounts, HasNotEndedWithoutDevices) {
  EXPECT_FALSE(CampaignCounts(boost::json::parse(R"({"counts":{}})")).ended());
}

TEST(JobText, SaysProgressReasonAndWhatItWaitsFor) {
  EXPECT_EQ(JobText(boost::json::parse(R"({"state":"downloading","progress":{"bytes":512,"total":1024}})")),
            "50 % of 1.0 KiB");
  EXPECT_EQ(
      JobText(boost::json::parse(
          R"({"state":"rolled_back","timed_out":true,"reason":{"code":30,"text":"self-test failed","detail":"net\u001b[2J"}})")),
      "timed out; self-test failed (net\\x1b[2J)");
  EXPECT_EQ(JobText(boost::json::parse(R"({"state":"queued","waiting":"the device is suspended"})")),
            "waits: the device is suspended");
}

TEST(When, IsRelativeOnATerminalAlone) {
  EXPECT_EQ(When(Pipe(), boost::json::value("2001-01-01T00:00:00Z")), "2001-01-01T00:00:00Z");
  EXPECT_TRUE(When(Screen(80), boost::json::value("2001-01-01T00:00:00Z")).ends_with(" days ago"));
  EXPECT_EQ(When(Screen(80), boost::json::value("\x1b[2J")), "\\x1b[2J");
  EXPECT_EQ(When(Screen(80), boost::json::value()), "-");
}

}  // namespace
}  // namespace pawl::cli
