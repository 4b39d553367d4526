#include "cli/api.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "cli/manual.h"

namespace pawl::cli {
namespace {

HttpAnswer Refusal(int status, std::string body) {
  return {.status = status, .content_type = "application/json", .retry_after_s = 0, .body = std::move(body)};
}
constexpr const char* kError =
    R"({"error":{"code":105,"reason":"not found","message":"no device \"x\"","remedy":"pawl device list","devices":[]}})";

TEST(Path, EncodesWhatVaries) {
  EXPECT_EQ(Path("devices", std::string("../a/b"), "why"), "/api/v1/devices/..%2Fa%2Fb/why");
}

TEST(Query, AddsWhatIsGiven) {
  EXPECT_EQ(Query("/x").Add("a", "").Add("b", "1&2").Add("c", 3).target(), "/x?b=1%262&c=3");
}

TEST(RefusalOf, KeepsThePlatformsWordsAndMapsEachStatus) {
  const Failure failure = RefusalOf(Refusal(404, kError), "https://a");
  EXPECT_EQ(failure.exit, Exit::kNotFound);
  EXPECT_EQ(failure.message, "no device \"x\"");
  EXPECT_EQ(failure.remedy, "pawl device list");
  EXPECT_EQ(failure.json, kError);
  const std::pair<int, Exit> rows[] = {{400, Exit::kUsage},       {401, Exit::kAuth},        {403, Exit::kAuth},
                                       {405, Exit::kUsage},       {409, Exit::kRefused},     {413, Exit::kUsage},
                                       {415, Exit::kUsage},       {416, Exit::kUsage},       {302, Exit::kUsage},
                                       {429, Exit::kUnreachable}, {500, Exit::kUnreachable}, {503, Exit::kUnreachable}};
  for (const auto& [status, exit] : rows)
    EXPECT_EQ(RefusalOf(Refusal(status, kError), "https://a").exit, exit) << status;
}

TEST(RefusalOf, NamesTheUrlIfTheAnswerIsNotPawlds) {
  for (const char* body : {"", "<html>", "{}", "[]", R"({"error":"x"})"}) {
    const Failure failure = RefusalOf(Refusal(502, body), "https://a");
    EXPECT_NE(failure.message.find("https://a answered HTTP 502"), std::string::npos);
    EXPECT_EQ(failure.json, "");
  }
}

TEST(ParseAnswer, RefusesWhatIsNoJson) {
  EXPECT_TRUE(ParseAnswer(Refusal(200, "{}"), "https://a"));
  EXPECT_FALSE(ParseAnswer(Refusal(200, "{"), "https://a"));
  EXPECT_FALSE(
      ParseAnswer({.status = 200, .content_type = "text/html", .retry_after_s = 0, .body = "{}"}, "https://a"));
}

TEST(Show, IsSafeForEveryKindOfValue) {
  const auto value = boost::json::parse(R"({"t":"a\u001bb","n":7,"y":true,"z":null,"l":["\u001b"]})");
  EXPECT_EQ(Show(value, "t"), "a\\x1bb");
  EXPECT_EQ(Show(value, "n"), "7");
  EXPECT_EQ(Show(value, "y"), "yes");
  EXPECT_EQ(Show(value, "z"), "-");
  EXPECT_EQ(Show(value, "none"), "-");
  EXPECT_EQ(Show(value, "l").find('\x1b'), std::string::npos);
  EXPECT_EQ(Number(value, "t"), 0U);
  EXPECT_TRUE(Items(At(value, "t")).empty());
}

CommandHelp Tree() {
  return {"pawl",
          "Root.",
          {{"--json", "", "JSON.", {}, false, false}},
          {{"device",
            "Devices.",
            {},
            {{"list", "List 'em.", {{"--state", "STATE", "State.", {}, false, false}}, {}},
             {"show", "Show.", {{"DEVICE", "", "Its id.", {}, true, true}}, {}}}}}};
}

TEST(CompletionScript, KnowsEachCommandsWords) {
  const std::string bash = CompletionScript(Tree(), "bash");
  EXPECT_NE(bash.find("'device') words='list show --json'"), std::string::npos) << bash;
  EXPECT_NE(bash.find("'device list') words='--state --json'"), std::string::npos);
  EXPECT_NE(CompletionScript(Tree(), "zsh").find("bashcompinit"), std::string::npos);
  EXPECT_NE(CompletionScript(Tree(), "fish").find("-a 'list' -d 'List '\\''em.'"), std::string::npos);
}

TEST(Manual, ShowsEachCommandWithItsOptions) {
  const std::string text = Manual(Tree(), "Footer.\n");
  EXPECT_NE(text.find("### pawl device list\n\nList 'em.\n\n```\npawl device list [--state STATE]\n```\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("pawl device show DEVICE\n"), std::string::npos);
  EXPECT_NE(text.find("Footer."), std::string::npos);
}

}  // namespace
}  // namespace pawl::cli
