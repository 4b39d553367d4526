// What is encoded is decoded to the same, for every message.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "wire/json/json.h"

namespace pawl::wire {
namespace {

using rc::gen::arbitrary;
using rc::gen::inRange;

template <std::size_t N>
std::array<std::uint8_t, N> Bytes() {
  std::array<std::uint8_t, N> bytes{};
  for (auto& byte : bytes) byte = *arbitrary<std::uint8_t>();
  return bytes;
}
std::uint64_t Number() { return *inRange<std::uint64_t>(0, kMaxNumber + 1); }
std::uint32_t U32() { return *arbitrary<std::uint32_t>(); }
Session AnySession() { return *arbitrary<std::uint64_t>(); }
Reason AnyReason() { return static_cast<Reason>(*arbitrary<std::uint16_t>()); }
std::string Text(std::size_t max) {
  // ASCII with control characters and quotes, all of which JSON must escape.
  const auto text =
      *rc::gen::container<std::string>(rc::gen::map(inRange(0, 128), [](int c) { return static_cast<char>(c); }));
  return text.substr(0, max);
}
Phase AnyPhase() { return static_cast<Phase>(*inRange(0, 9)); }
template <class Make>
auto ListOf(int max, Make make) {
  std::vector<decltype(make())> items(static_cast<std::size_t>(*inRange(0, max + 1)));
  for (auto& item : items) item = make();
  return items;
}
template <class Make>
auto Maybe(Make make) -> std::optional<decltype(make())> {
  if (!*arbitrary<bool>()) return std::nullopt;
  return make();
}

State AnyState() {
  State state;
  state.journal = Bytes<16>();
  state.rev = Number();
  state.job = Maybe([] {
    return JobState{Number(),    Bytes<32>(),           AnyPhase(),
                    AnyReason(), Text(kMaxDetailBytes), ListOf(kMaxSteps, [] { return Step{AnyPhase(), Number()}; })};
  });
  state.running = ListOf(kMaxComponents, [] {
    return RunningComponent{Text(kMaxNameBytes),
                            Text(kMaxNameBytes),
                            Bytes<32>(),
                            Bytes<32>(),
                            Text(kMaxVersionBytes),
                            Number(),
                            static_cast<Mode>(*inRange(0, 3))};
  });
  state.trial = U32();
  state.owed = Maybe([] { return Owed{U32(), Number(), Bytes<32>(), AnyReason(), Text(kMaxDetailBytes)}; });
  state.emergency = Maybe([] { return Emergency{*arbitrary<std::uint16_t>(), AnyReason()}; });
  return state;
}

Hello AnyHello() {
  Hello hello;
  hello.boot = Bytes<16>();
  hello.nonce = Bytes<16>();
  hello.state = AnyState();
  hello.vendor = Bytes<16>();
  hello.cls = Bytes<16>();
  hello.board_revision = Number();
  hello.agent = Text(kMaxNameBytes);
  hello.keys = ListOf(kMaxKeyIds, Bytes<8>);
  hello.floor = U32();
  hello.slot_bytes = Number();
  hello.watchdog_s = U32();
  hello.encodings = ListOf(kMaxEncodings, [] { return Text(kMaxNameBytes); });
  const int attributes = *inRange(0, static_cast<int>(kMaxAttributes) + 1);
  if (*arbitrary<bool>()) hello.via = "gw-" + std::to_string(*inRange(0, 1000));
  for (int i = 0; i < attributes; ++i) hello.attributes.push_back({"name" + std::to_string(i), Text(kMaxValueBytes)});
  return hello;
}

Up AnyUp() {
  switch (*inRange(0, 4)) {
    case 0:
      return AnyHello();
    case 1:
      return StateReport{AnySession(), AnyState()};
    case 2:
      return Ready{AnySession(), Number(), Bytes<32>(), Bytes<16>()};
    default:
      return Progress{AnySession(), Number(), Number(), Text(kMaxNameBytes)};
  }
}

Ack AnyAck() {
  return {AnySession(), Bytes<16>(), Number(), {Maybe(U32), Maybe(Number), Maybe([] {
                                                  return *arbitrary<std::uint16_t>();
                                                })}};
}
Job AnyJob() {
  return {Number(), ListOf(3, [] { return Source{Text(kMaxUrlBytes), Text(kMaxUrlBytes), Text(kMaxNameBytes)}; }),
          *arbitrary<std::vector<std::uint8_t>>(), Text(kMaxVersionBytes), Number()};
}

Down AnyDown() {
  switch (*inRange(0, 5)) {
    case 0:
      return Welcome{Bytes<16>(),        AnySession(), Number(),           AnyAck(), Maybe(AnyJob),
                     *arbitrary<bool>(), Number(),     *arbitrary<bool>(), U32()};
    case 1:
      return JobOffer{AnySession(), AnyJob()};
    case 2:
      return Cancel{AnySession(), Number(), Text(kMaxDetailBytes)};
    case 3:
      return AnyAck();
    default:
      return PermitAnswer{AnySession(), Number(), *arbitrary<std::vector<std::uint8_t>>(), U32(),
                          Text(kMaxDetailBytes)};
  }
}

RC_GTEST_PROP(JsonProperty, EveryUpMessageIsReadBackAsItWasWritten, ()) {
  const Up message = AnyUp();
  const std::string text = Encode(message);
  RC_PRE(text.size() <= kMaxMessageBytes);
  const auto back = DecodeUp(text);
  RC_ASSERT(back.has_value());
  RC_ASSERT(*back == message);
}

RC_GTEST_PROP(JsonProperty, EveryDownMessageIsReadBackAsItWasWritten, ()) {
  const Down message = AnyDown();
  const auto back = DecodeDown(Encode(message));
  RC_ASSERT(back.has_value());
  RC_ASSERT(*back == message);
}

RC_GTEST_PROP(JsonProperty, ATextCutOffAnywhereIsRefused, ()) {
  const std::string text = Encode(AnyUp());
  const auto cut = *inRange<std::size_t>(0, text.size());
  RC_ASSERT(!DecodeUp(text.substr(0, cut)).has_value());
}

}  // namespace
}  // namespace pawl::wire
