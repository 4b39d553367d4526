#include "wire/json/json.h"

#include <gtest/gtest.h>

namespace pawl::wire {
namespace {

template <std::size_t N>
std::array<std::uint8_t, N> Filled(std::uint8_t with) {
  std::array<std::uint8_t, N> bytes{};
  bytes.fill(with);
  return bytes;
}

std::string Repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

State Golden() {
  State state;
  state.journal = Filled<16>(0x0a);
  state.rev = 7;
  state.job =
      JobState{17, Filled<32>(0xd1), Phase::kRolledBack, Reason::kSelfTestFailed, "net", {{Phase::kAccepted, 5}}};
  state.running = {{"main", "A", Filled<32>(0x11), Filled<32>(0x22), "1.0.0", 3, Mode::kNormal}};
  state.trial = 2;
  state.owed = Owed{2, 17, Filled<32>(0xd1), Reason::kSelfTestFailed, "net"};
  state.emergency = Emergency{1, Reason::kRecordLost};
  return state;
}

std::string GoldenStateText() {
  return R"({"journal":")" + Repeat("0a", 16) + R"(","rev":7,"job":{"n":17,"digest":")" + Repeat("d1", 32) +
         R"(","phase":"rolled_back","reason":30,"detail":"net","steps":[{"phase":"accepted","at":5}]},"running":[)" +
         R"({"component":"main","slot":"A","image_digest":")" + Repeat("11", 32) + R"(","manifest_digest":")" +
         Repeat("22", 32) +
         R"(","version":"1.0.0","sequence":3,"mode":"normal"}],"trial":2,"owed":{"trial":2,"job":17,)" +
         R"("digest":")" + Repeat("d1", 32) + R"(","reason":30,"detail":"net"},"emergency":{"count":1,"reason":40}})";
}

TEST(Json, AStateHasExactlyThisEncoding) {
  EXPECT_EQ(EncodeState(Golden()), GoldenStateText());
  const auto back = DecodeState(GoldenStateText());
  ASSERT_TRUE(back.has_value()) << back.error().detail.view();
  EXPECT_EQ(*back, Golden());
}

Hello GoldenHello() {
  Hello hello;
  hello.boot = Filled<16>(0xb0);
  hello.nonce = Filled<16>(0xc0);
  hello.state = Golden();
  hello.vendor = Filled<16>(0x01);
  hello.cls = Filled<16>(0x02);
  hello.board_revision = 4;
  hello.agent = "0.1.0";
  hello.keys = {Filled<8>(0x3c)};
  hello.floor = 5;
  hello.slot_bytes = 1048576;
  hello.watchdog_s = 30;
  hello.encodings = {"raw"};
  hello.attributes = {{"site", "north"}};
  return hello;
}

TEST(Json, AHelloHasExactlyThisEncoding) {
  const std::string text =
      R"({"type":"hello","proto":1,"boot":")" + Repeat("b0", 16) + R"(","nonce":")" + Repeat("c0", 16) +
      R"(","state":)" + GoldenStateText() + R"(,"vendor":")" + Repeat("01", 16) + R"(","class":")" + Repeat("02", 16) +
      R"(","board_revision":4,"agent":"0.1.0","keys":[")" + Repeat("3c", 8) +
      R"("],"floor":5,"slot_bytes":1048576,"watchdog_s":30,"encodings":["raw"],)" + R"("attributes":{"site":"north"}})";
  EXPECT_EQ(Encode(Up(GoldenHello())), text);
  const auto back = DecodeUp(text);
  ASSERT_TRUE(back.has_value()) << back.error().detail.view();
  EXPECT_EQ(*back, Up(GoldenHello()));
}

// The golden hello with one more member at its end.
std::string HelloVia(std::string_view value) {
  std::string text = Encode(Up(GoldenHello()));
  text.pop_back();
  return text.append(R"(,"via":)").append(value).append("}");
}

TEST(Json, AHelloThroughAGatewayNamesItLast) {
  Hello hello = GoldenHello();
  hello.via = "gw-7.north_1";
  EXPECT_EQ(Encode(Up(hello)), HelloVia(R"("gw-7.north_1")"));
  const auto back = DecodeUp(HelloVia(R"("gw-7.north_1")"));
  ASSERT_TRUE(back.has_value()) << back.error().detail.view();
  EXPECT_EQ(*back, Up(hello));
  EXPECT_EQ(*DecodeUp(HelloVia("null")), Up(GoldenHello()));
}

TEST(Json, AGatewayIsNamedByTheAlphabetOfDeviceIdsAlone) {
  EXPECT_TRUE(DecodeUp(HelloVia("\"" + Repeat("g", 63) + "\"")).has_value());
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"\"\"", "\"via\" is not [a-z0-9][a-z0-9._-]{0,62}"},
      {"\"GW\"", "\"via\" is not [a-z0-9][a-z0-9._-]{0,62}"},
      {"\"-gw\"", "\"via\" is not [a-z0-9][a-z0-9._-]{0,62}"},
      {"\"gw/1\"", "\"via\" is not [a-z0-9][a-z0-9._-]{0,62}"},
      {"\"gw\\n\"", "\"via\" is not [a-z0-9][a-z0-9._-]{0,62}"},
      {"\"" + Repeat("g", 64) + "\"", "\"via\" is too long"},
      {"7", "\"via\" is not a text"},
      {"[\"gw\"]", "\"via\" is not a text"},
  };
  for (const auto& [value, detail] : cases) {
    const auto message = DecodeUp(HelloVia(value));
    ASSERT_FALSE(message.has_value()) << value;
    EXPECT_EQ(message.error().reason, Reason::kMalformed) << value;
    EXPECT_EQ(message.error().detail.view(), detail) << value;
  }
}

TEST(Json, AWelcomeHasExactlyThisEncoding) {
  Welcome welcome;
  welcome.nonce = Filled<16>(0xc0);
  welcome.session = 0xfedcba9876543210;
  welcome.time = 1700000000;
  welcome.ack = {welcome.session, Filled<16>(0x0a), 7, {2, 17, std::nullopt}};
  welcome.job = Job{18, {{"https://p/a", "https://p/a.leaves", "raw"}}, {0xd8, 0x6b, 0xa2}, "2.1.0", 150000};
  const std::string text =
      R"({"type":"welcome","nonce":")" + Repeat("c0", 16) +
      R"(","session":"fedcba9876543210","time":1700000000,"ack":{"type":"ack","session":"fedcba9876543210","journal":")" +
      Repeat("0a", 16) + R"(","rev":7,"settled":{"trial":2,"trial_job":17}},"job":{"n":18,"sources":[{"url":)" +
      R"("https://p/a","leaves_url":"https://p/a.leaves","encoding":"raw"}],"manifest":"2Gui","version":"2.1.0",)" +
      R"("size":150000},"cancelled":false,"cancel_job":0,"raise_floor":false,"floor":0})";
  EXPECT_EQ(Encode(Down(welcome)), text);
  const auto back = DecodeDown(text);
  ASSERT_TRUE(back.has_value()) << back.error().detail.view();
  EXPECT_EQ(*back, Down(welcome));
}

std::string ReadyText(std::string_view job, std::string_view nonce) {
  return R"({"type":"ready","session":"0000000000000001","job":)" + std::string(job) + R"(,"digest":")" +
         Repeat("00", 32) + R"(","nonce":)" + std::string(nonce) + "}";
}

TEST(Json, UnknownMembersOfANewerPeerAreIgnored) {
  const std::string nonce = "\"" + Repeat("00", 16) + "\",\"colour\":[1,{\"x\":null}]";
  EXPECT_TRUE(DecodeUp(ReadyText("1", nonce)).has_value());
}

TEST(Json, AMissingOrIllTypedMemberIsNamed) {
  const std::string nonce = "\"" + Repeat("00", 16) + "\"";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {ReadyText("\"1\"", nonce), "\"job\" is not a whole number in its range"},
      {ReadyText("-1", nonce), "\"job\" is not a whole number in its range"},
      {ReadyText("1.0", nonce), "\"job\" is not a whole number in its range"},
      {ReadyText("9007199254740992", nonce), "\"job\" is not a whole number in its range"},
      {ReadyText("18446744073709551615", nonce), "\"job\" is not a whole number in its range"},
      {ReadyText("1", "\"00\""), "\"nonce\" is not lower-case hex of the right length"},
      {ReadyText("1", "\"" + Repeat("AA", 16) + "\""), "\"nonce\" is not lower-case hex of the right length"},
      {ReadyText("1", "7"), "\"nonce\" is not a text"},
      {R"({"type":"ready"})", "\"session\" is missing"},
      {R"({"type":"welcome"})", "\"type\" names no message"},
      {R"({})", "\"type\" is missing"},
      {R"({"type":"state","session":"0000000000000001","state":{"journal":"zz"}})",
       "\"state.journal\" is not lower-case hex of the right length"},
  };
  for (const auto& [text, detail] : cases) {
    const auto message = DecodeUp(text);
    ASSERT_FALSE(message.has_value()) << text;
    EXPECT_EQ(message.error().reason, Reason::kMalformed) << text;
    EXPECT_EQ(message.error().detail.view(), detail) << text;
  }
}

TEST(Json, WhatIsNoJsonObjectIsRefused) {
  for (const char* bad : {"", " ", "null", "[]", "1", "{", "{}x", "{\"type\":\"\xff\"}", "{'type':'ready'}"}) {
    EXPECT_FALSE(DecodeUp(bad).has_value()) << bad;
    EXPECT_FALSE(DecodeDown(bad).has_value()) << bad;
  }
  EXPECT_FALSE(DecodeUp(R"({"type":"ready","x":)" + Repeat("[", 9) + Repeat("]", 9) + "}").has_value());
}

TEST(Json, AMessageOverTheLimitIsRefusedUnread) {
  const auto message = DecodeUp(std::string(kMaxMessageBytes + 1, ' '));
  ASSERT_FALSE(message.has_value());
  EXPECT_EQ(message.error().reason, Reason::kTooLarge);
}

TEST(Json, AHelloOfAnotherProtocolIsRefusedByName) {
  const auto message = DecodeUp(R"({"type":"hello","proto":2})");
  ASSERT_FALSE(message.has_value());
  EXPECT_EQ(message.error().reason, Reason::kUnsupportedVersion);
}

TEST(Json, ListsOverTheirLimitsAreRefused) {
  State state = Golden();
  state.job->steps.assign(kMaxSteps + 1, {});
  EXPECT_FALSE(DecodeState(EncodeState(state)).has_value());
  state = Golden();
  state.running.assign(kMaxComponents + 1, state.running.front());
  EXPECT_FALSE(DecodeState(EncodeState(state)).has_value());
  state = Golden();
  state.owed->detail.assign(kMaxDetailBytes + 1, 'x');
  EXPECT_FALSE(DecodeState(EncodeState(state)).has_value());
}

TEST(Json, AReasonOfANewerPeerIsKeptAsItsNumber) {
  State state = Golden();
  state.owed->reason = static_cast<Reason>(65000);
  const auto back = DecodeState(EncodeState(state));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(static_cast<int>(back->owed->reason), 65000);
}

}  // namespace
}  // namespace pawl::wire
