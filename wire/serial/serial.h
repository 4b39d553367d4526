// The messages between a gateway's agent and a device behind a serial line (a *child*): shapes and limits. The child is
// a microcontroller without network; the gateway's agent speaks the device protocol for it. Freestanding, no heap.
//
// Roles   The gateway asks, one request at a time; the child answers each with its number. A request may come twice
// (the
//         answer got lost), so every one is safe to repeat. The child tells three things by itself: Started, Changed,
//         NonceWanted.
// Source  docs/spec/serial.md. Framing: wire/serial/frame.h.
#pragma once

#include <optional>
#include <variant>

#include "base/result.h"

namespace pawl::serial {

inline constexpr std::uint8_t kVersion = 1;
inline constexpr std::size_t kMaxDataBytes = 1024;     // of one Write or Envelope
inline constexpr std::size_t kMaxPayloadBytes = 1280;  // of any message, encoded, without framing
inline constexpr std::size_t kMaxDetailBytes = 120;
inline constexpr std::size_t kMaxVersionTextBytes = 48;
inline constexpr std::size_t kRecordCellBytes = 128;

// --- gateway to child ---

struct AskFacts {};
// A new image for the staging slot. The same digest again in the same boot of the child goes on; any other one erases
// the old envelope first. Answer: Staged.
struct Begin {
  Digest manifest_digest{};
  std::uint64_t image_bytes = 0;
  std::uint32_t envelope_bytes = 0;
};
// SHA-256 of the staging slot's first `bytes` bytes: how a gateway finds out what is there already. Answer: Hashed.
struct HashStaged {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};
// Image bytes. The child erases each sector when its first byte comes; so `offset` is the end of what was written, or
// the start of a sector at or before it. Answer: Staged.
struct Write {
  std::uint64_t offset = 0;
  ByteView data;
};
// A part of the envelope, into the child's RAM. Answer: Staged.
struct Envelope {
  std::uint32_t offset = 0;
  ByteView data;
};
// Envelope to flash, flush, then the child reads all of it back and verifies it with the keys of its own ROM.
// Answer: Done, with the verdict.
struct Seal {};
// F1, only for what Seal verified in this boot of the child. Answer: Done.
struct Pending {
  std::uint64_t job = 0;
  Digest manifest_digest{};
};
struct SettleRollback {  // F4. Answer: Done
  std::uint32_t trial = 0;
  std::uint64_t job = 0;
};
struct SettleEmergency {  // F5. Answer: Done
  std::uint16_t count = 0;
};
struct RaiseFloor {  // F6. Answer: Done
  std::uint32_t value = 0;
};
struct Reset {};  // Answer: Done, then the child resets
// What came of NonceWanted. No answer.
enum class Relay : std::uint8_t {
  kFresh = 0,       // the platform gave the nonce back
  kNoPlatform = 1,  // the gateway is well, no platform endpoint answered
};
struct Nonce {
  pawl::Nonce nonce{};  // of NonceWanted
  Relay relay = Relay::kNoPlatform;
};
using Request = std::variant<AskFacts, Begin, HashStaged, Write, Envelope, Seal, Pending, SettleRollback,
                             SettleEmergency, RaiseFloor, Reset, Nonce>;

// --- child to gateway ---

enum class Tests : std::uint8_t {
  kNone = 0,  // nothing to test: the running image is confirmed and proven
  kRunning = 1,
  kPassed = 2,  // and confirmed, in this boot
  kFailed = 3,  // `tests_detail` names the test; in a trial a reset follows at once
};
struct Facts {
  std::uint8_t version = kVersion;
  std::array<std::uint8_t, 16> boot{};  // another one after each start of the child
  std::uint8_t slot = 0;                // the hand-off: numbers as in the machine line (docs/spec/boot.md)
  std::uint8_t mode = 0;
  std::uint8_t cause = 0;
  std::uint32_t trial = 0;
  std::uint32_t security_version = 0;
  std::uint32_t watchdog_ms = 0;
  std::array<std::uint8_t, kRecordCellBytes> record{};  // the newest cell of the boot record
  Digest image_digest{};                                // of the running image, by its verified manifest
  Digest manifest_digest{};
  BoundedText<kMaxVersionTextBytes> image_version;
  std::uint64_t sequence = 0;
  std::uint32_t trial_budget_s = 0;
  Digest rom_digest{};  // SHA-256 over anchors blob and identity blob: the gateway must hold the same
  std::uint64_t slot_bytes = 0;
  std::uint32_t sector_bytes = 0;  // of the slots
  Tests tests = Tests::kNone;
  BoundedText<kMaxDetailBytes> tests_detail;
};
struct Staged {  // so many bytes of image and envelope are there
  std::uint64_t image_bytes = 0;
  std::uint32_t envelope_bytes = 0;
};
struct Hashed {
  Digest digest{};
};
struct Done {};
struct Refused {
  Reason reason = Reason::kNone;
  BoundedText<kMaxDetailBytes> detail;
};
using Answer = std::variant<Facts, Staged, Hashed, Done, Refused>;

struct Started {  // after each start, and again every second until facts are asked for
  std::array<std::uint8_t, 16> boot{};
};
struct Changed {};    // the facts are others now
struct NonceWanted {  // the self-test's connectivity: asked again every second, with the same nonce until it is
                      // answered
  pawl::Nonce nonce{};
};
using Telling = std::variant<Started, Changed, NonceWanted>;

// --- encoding: payloads without framing ---

using Payload = BoundedVec<std::uint8_t, kMaxPayloadBytes>;

struct NumberedRequest {
  std::uint8_t number = 0;  // the asker's, 0..255, wrapping; the answer carries it
  Request request;          // views point into the payload
};
struct NumberedAnswer {
  std::uint8_t number = 0;
  Answer answer;
};
using FromChild = std::variant<NumberedAnswer, Telling>;

Payload Encode(const NumberedRequest& request);
Payload Encode(const NumberedAnswer& answer);
Payload Encode(const Telling& telling);
// Errors: malformed (names the field), unsupported version. Strict: exact sizes, no trailing bytes.
Result<NumberedRequest> DecodeRequest(ByteView payload);
Result<FromChild> DecodeFromChild(ByteView payload);

}  // namespace pawl::serial
