#include "wire/serial/serial.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/text.h"
#include "wire/serial/test_messages.h"

namespace pawl::serial {
namespace {

using test::Bytes;

std::string Hex(const auto& bytes) {
  std::string text(2 * bytes.size(), 0);
  return std::string(HexEncode(bytes, text));
}
Bytes ToBytes(const Payload& payload) { return {payload.begin(), payload.end()}; }

// Of either direction: encoded again if it decodes, else nothing.
std::optional<Bytes> AgainAsRequest(ByteView payload) {
  const auto request = DecodeRequest(payload);
  return request ? std::optional(ToBytes(Encode(*request))) : std::nullopt;
}
std::optional<Bytes> AgainFromChild(ByteView payload) {
  const auto message = DecodeFromChild(payload);
  if (!message) return std::nullopt;
  if (const auto* answer = std::get_if<NumberedAnswer>(&*message)) return ToBytes(Encode(*answer));
  return ToBytes(Encode(std::get<Telling>(*message)));
}

TEST(Serial, EveryRequestComesBackAsItWas) {
  for (const Request& request : test::AllRequests()) {
    const Bytes payload = ToBytes(Encode(NumberedRequest{7, request}));
    const auto decoded = DecodeRequest(payload);
    ASSERT_TRUE(decoded.has_value()) << Name(request) << ": " << decoded.error().detail.view();
    EXPECT_EQ(decoded->number, 7);
    EXPECT_EQ(decoded->request.index(), request.index());
    EXPECT_EQ(AgainAsRequest(payload), payload) << Name(request);
    EXPECT_FALSE(DecodeFromChild(payload).has_value()) << Name(request) << " is not from a child";
  }
}

TEST(Serial, EveryAnswerAndTellingComesBackAsItWas) {
  for (const Bytes& payload : test::AllFromChild()) {
    EXPECT_EQ(AgainFromChild(payload), payload) << Hex(payload);
    EXPECT_FALSE(DecodeRequest(payload).has_value()) << Hex(payload);
  }
}

TEST(Serial, FieldsArriveInTheirPlaces) {
  const Facts facts = test::SomeFacts();
  const auto message = DecodeFromChild(ToBytes(Encode(NumberedAnswer{200, facts})));
  ASSERT_TRUE(message.has_value());
  const auto& answer = std::get<NumberedAnswer>(*message);
  EXPECT_EQ(answer.number, 200);
  EXPECT_EQ(std::get<Facts>(answer.answer), facts);

  const Bytes data{0, 1, 0, 2};
  const Bytes payload = ToBytes(Encode(NumberedRequest{255, Write{.offset = 0x0102030405, .data = data}}));
  const auto request = DecodeRequest(payload);
  ASSERT_TRUE(request.has_value());
  const auto& write = std::get<Write>(request->request);
  EXPECT_EQ(write.offset, 0x0102030405U);
  EXPECT_TRUE(Equal(write.data, data));
}

// The bytes of docs/spec/serial.md, "Worked example".
TEST(Serial, GoldenBytes) {
  const Bytes data{0xDE, 0xAD};
  Digest digest{};
  digest[0] = 0xD1;
  digest[31] = 0x0D;
  const std::string zeros(60, '0');
  EXPECT_EQ(Hex(Encode(NumberedRequest{5, AskFacts{}})), "0105");
  EXPECT_EQ(Hex(Encode(NumberedRequest{6, Begin{digest, 0x01020304, 700}})),
            "0206d1" + zeros + "0d0403020100000000bc020000");
  EXPECT_EQ(Hex(Encode(NumberedRequest{7, HashStaged{65536, 4096}})), "030700000100000000000010000000000000");
  EXPECT_EQ(Hex(Encode(NumberedRequest{8, Write{1024, data}})), "04080004000000000000dead");
  EXPECT_EQ(Hex(Encode(NumberedRequest{9, Envelope{512, data}})), "050900020000dead");
  EXPECT_EQ(Hex(Encode(NumberedRequest{10, Seal{}})), "060a");
  EXPECT_EQ(Hex(Encode(NumberedRequest{11, Pending{9, digest}})), "070b0900000000000000d1" + zeros + "0d");
  EXPECT_EQ(Hex(Encode(NumberedRequest{12, SettleRollback{3, 9}})), "080c030000000900000000000000");
  EXPECT_EQ(Hex(Encode(NumberedRequest{13, SettleEmergency{2}})), "090d0200");
  EXPECT_EQ(Hex(Encode(NumberedRequest{14, RaiseFloor{4}})), "0a0e04000000");
  EXPECT_EQ(Hex(Encode(NumberedRequest{15, Reset{}})), "0b0f");
  EXPECT_EQ(Hex(Encode(NumberedRequest{16, Nonce{{0xAA}, Relay::kNoPlatform}})), "0c10aa" + zeros.substr(0, 30) + "01");
  EXPECT_EQ(Hex(Encode(NumberedAnswer{5, Staged{1026, 512}})), "8205020400000000000000020000");
  EXPECT_EQ(Hex(Encode(NumberedAnswer{5, Hashed{digest}})), "8305d1" + zeros + "0d");
  EXPECT_EQ(Hex(Encode(NumberedAnswer{5, Done{}})), "8405");
  EXPECT_EQ(Hex(Encode(NumberedAnswer{5, Refused{Reason::kNotAllowed, "F1"}})), "85053700024631");
  EXPECT_EQ(Hex(Encode(Telling{Started{{0xBB}}})), "c100bb" + zeros.substr(0, 30));
  EXPECT_EQ(Hex(Encode(Telling{Changed{}})), "c200");
  EXPECT_EQ(Hex(Encode(Telling{NonceWanted{{0xCC}}})), "c300cc" + zeros.substr(0, 30));
}

TEST(Serial, EveryTruncationIsRefusedOrAnotherDataLength) {
  for (const Request& request : test::AllRequests()) {
    const Bytes whole = ToBytes(Encode(NumberedRequest{1, request}));
    const bool open_end = std::holds_alternative<Write>(request) || std::holds_alternative<Envelope>(request);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      const auto again = AgainAsRequest(cut);
      EXPECT_EQ(again.has_value(), open_end && again == cut) << Name(request) << " cut to " << size;
    }
  }
  for (const Bytes& whole : test::AllFromChild()) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_FALSE(DecodeFromChild(ByteView(whole).first(size)).has_value()) << Hex(whole) << " cut to " << size;
    }
  }
}

TEST(Serial, BytesBehindTheEndAreRefused) {
  for (const Request& request : test::AllRequests()) {
    if (std::holds_alternative<Write>(request) || std::holds_alternative<Envelope>(request)) continue;
    Bytes payload = ToBytes(Encode(NumberedRequest{1, request}));
    payload.push_back(0);
    EXPECT_FALSE(DecodeRequest(payload).has_value()) << Name(request);
  }
  for (Bytes payload : test::AllFromChild()) {
    payload.push_back(0);
    EXPECT_FALSE(DecodeFromChild(payload).has_value()) << Hex(payload);
  }
}

TEST(Serial, DataHasOneToItsMaximumOfBytes) {
  const Bytes most(kMaxDataBytes, 0);
  EXPECT_TRUE(DecodeRequest(ToBytes(Encode(NumberedRequest{1, Write{0, most}}))).has_value());
  Bytes payload = ToBytes(Encode(NumberedRequest{1, Write{0, most}}));
  payload.push_back(0);
  EXPECT_FALSE(DecodeRequest(payload).has_value());
  payload.resize(10);
  EXPECT_FALSE(DecodeRequest(payload).has_value());
}

// The detail names message and field.
std::string WhyNot(Bytes payload, std::size_t at, std::uint8_t value) {
  payload.at(at) = value;
  const auto message = DecodeFromChild(payload);
  return message ? "decoded" : std::string(message.error().detail.view());
}

TEST(Serial, NumbersOutsideTheirRangeAreRefusedByName) {
  const Bytes facts = ToBytes(Encode(NumberedAnswer{1, test::SomeFacts()}));
  EXPECT_EQ(WhyNot(facts, 19, 2), "serial message Facts: slot");
  EXPECT_EQ(WhyNot(facts, 20, 3), "serial message Facts: mode");
  EXPECT_EQ(WhyNot(facts, 21, 4), "serial message Facts: cause");
  EXPECT_EQ(WhyNot(facts, 282, 4), "serial message Facts: tests");
  EXPECT_EQ(WhyNot(facts, 283, 49), "serial message Facts: image_version");
  EXPECT_EQ(WhyNot(facts, 284, '\n'), "serial message Facts: image_version");
  EXPECT_EQ(WhyNot(facts, 0, 0x86), "serial message: unknown kind");
  EXPECT_EQ(WhyNot(Bytes{0, 0}, 0, 0xC4), "serial message: unknown kind");
  EXPECT_EQ(WhyNot(ToBytes(Encode(Telling{Changed{}})), 1, 1), "serial message: a telling has no number");
  Bytes nonce = ToBytes(Encode(NumberedRequest{1, Nonce{}}));
  nonce.back() = 2;
  EXPECT_FALSE(DecodeRequest(nonce).has_value());
  EXPECT_FALSE(DecodeRequest(Bytes{0x00, 1}).has_value());
  EXPECT_FALSE(DecodeRequest(Bytes{0x0D, 1}).has_value());
}

TEST(Serial, FactsOfAnotherVersionAreRefusedAsSuch) {
  Bytes facts = ToBytes(Encode(NumberedAnswer{1, test::SomeFacts()}));
  facts[2] = kVersion + 1;
  const auto message = DecodeFromChild(facts);
  ASSERT_FALSE(message.has_value());
  EXPECT_EQ(message.error().reason, Reason::kUnsupportedVersion);
}

TEST(Serial, TextsArriveAsPrintableAscii) {
  const auto message = DecodeFromChild(ToBytes(Encode(NumberedAnswer{1, Refused{Reason::kIo, "a\x1b\xC3z"}})));
  ASSERT_TRUE(message.has_value());
  const auto& refused = std::get<Refused>(std::get<NumberedAnswer>(*message).answer);
  EXPECT_EQ(refused.detail.view(), "a??z");
  EXPECT_EQ(refused.reason, Reason::kIo);
}

}  // namespace
}  // namespace pawl::serial
