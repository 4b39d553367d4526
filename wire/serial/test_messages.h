// One of each message, for tests.
#pragma once

#include <vector>

#include "wire/serial/serial.h"

namespace pawl::serial::test {

using Bytes = std::vector<std::uint8_t>;

template <std::size_t N>
std::array<std::uint8_t, N> Counting(std::uint8_t from) {
  std::array<std::uint8_t, N> bytes;
  for (std::uint8_t& byte : bytes) byte = from++;
  return bytes;
}

inline Facts SomeFacts() {
  Facts facts;
  facts.boot = Counting<16>(0x10);
  facts.slot = 1;
  facts.mode = 2;
  facts.cause = 3;
  facts.trial = 4;
  facts.security_version = 0x05060708;
  facts.watchdog_ms = 3000;
  facts.record = Counting<kRecordCellBytes>(0xF0);  // with zeros in it
  facts.image_digest = Counting<32>(0x20);
  facts.manifest_digest = Counting<32>(0x40);
  facts.image_version = "2.1.0-rc.3";
  facts.sequence = 0x0102030405060708;
  facts.trial_budget_s = 60;
  facts.rom_digest = Counting<32>(0x60);
  facts.slot_bytes = 0x800000;
  facts.sector_bytes = 0x40000;
  facts.tests = Tests::kFailed;
  facts.tests_detail = "peripheral:adc: reads 0 mV";
  return facts;
}

inline std::vector<Request> AllRequests() {
  static const Bytes data(kMaxDataBytes, 0x5A);
  return {AskFacts{},
          Begin{Counting<32>(1), 5000, 700},
          HashStaged{4096, kMaxHashBytes},
          Write{1024, ByteView(data).first(3)},
          Envelope{0, data},
          Seal{},
          Pending{12, Counting<32>(2)},
          SettleRollback{3, 12},
          SettleEmergency{1},
          RaiseFloor{2},
          Reset{},
          Nonce{Counting<16>(3), Relay::kFresh}};
}

// Encoded; the answers have number 9.
inline std::vector<Bytes> AllFromChild() {
  const std::vector<Answer> answers{SomeFacts(),
                                    Facts{},
                                    Staged{5000, 700},
                                    Hashed{Counting<32>(4)},
                                    Done{},
                                    Refused{Reason::kNotAllowed, "F1: a slot is pending already"}};
  const std::vector<Telling> tellings{Started{Counting<16>(5)}, Changed{}, NonceWanted{Counting<16>(6)}};
  std::vector<Bytes> all;
  const auto add = [&all](const Payload& payload) { all.emplace_back(payload.begin(), payload.end()); };
  for (const Answer& answer : answers) add(Encode(NumberedAnswer{9, answer}));
  for (const Telling& telling : tellings) add(Encode(telling));
  return all;
}

}  // namespace pawl::serial::test
