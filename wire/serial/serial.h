// The messages between a gateway's agent and a device behind a serial line (a *child*): shapes and limits. The child is
// a microcontroller without network; the gateway's agent speaks the device protocol for it. Freestanding, no heap.
//
// Roles     The gateway asks, one request at a time; the child answers each with its number. A request may come twice
//           (the answer got lost), so every one is safe to repeat. The child tells three things by itself: Started,
//           Changed, NonceWanted.
// Format    docs/spec/serial.md, which a test holds against the code. Framing: wire/serial/frame.h.
// Lifetime  views in a decoded request point into the payload.
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
inline constexpr std::uint64_t kMaxHashBytes = 65536;  // of one HashStaged: so no answer takes long

// --- gateway to child ---

struct AskFacts {};
// A new image for the staging slot. The same three values again in the same boot of the child go on; any others erase
// the old envelope first. Answer: Staged.
struct Begin {
  Digest manifest_digest{};
  std::uint64_t image_bytes = 0;
  std::uint32_t envelope_bytes = 0;
};
// SHA-256 of so many bytes of the staging slot: how a gateway finds out what is there already, also from before a
// reset of the child. Needs no Begin. Answer: Hashed.
struct HashStaged {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;  // 1..kMaxHashBytes
};
// Image bytes. `offset` is the end of what was written, or the start of any sector: then the image goes on from there.
// The child erases each sector when its first byte comes. What stands there already is not written again. Answer:
// Staged.
struct Write {
  std::uint64_t offset = 0;
  ByteView data;  // 1..kMaxDataBytes
};
// A part of the envelope, into the child's RAM, in order. Answer: Staged.
struct Envelope {
  std::uint32_t offset = 0;
  ByteView data;  // 1..kMaxDataBytes
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
  std::array<std::uint8_t, kRecordCellBytes> record{};  // the newest cell of the boot record; all FF: there is none
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
  friend bool operator==(const Facts&, const Facts&) = default;
};
struct Staged {  // where image and envelope go on
  std::uint64_t image_bytes = 0;
  std::uint32_t envelope_bytes = 0;
};
struct Hashed {
  Digest digest{};
};
struct Done {};
struct Refused {  // also the answer to a request that cannot be decoded
  Reason reason = Reason::kNone;
  BoundedText<kMaxDetailBytes> detail;
};
using Answer = std::variant<Facts, Staged, Hashed, Done, Refused>;

struct Started {  // after each start, and again every second until facts are asked for
  std::array<std::uint8_t, 16> boot{};
};
struct Changed {};  // the facts are others now
// The self-test's connectivity: told again every second, with the same nonce until it is answered.
struct NonceWanted {
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

// Preconditions: data of 1..kMaxDataBytes; slot, mode and cause within their numbers. A byte of a text that is not
// printable ASCII becomes '?'.
Payload Encode(const NumberedRequest& request);
Payload Encode(const NumberedAnswer& answer);
Payload Encode(const Telling& telling);
// Strict: exact sizes, no trailing bytes, texts of printable ASCII, every number within its range.
// Errors: malformed (names message and field), unsupported version (of Facts).
Result<NumberedRequest> DecodeRequest(ByteView payload);
Result<FromChild> DecodeFromChild(ByteView payload);

// The name of a message as it stands in docs/spec/serial.md, for logs.
std::string_view Name(const Request& request);
std::string_view Name(const Answer& answer);
std::string_view Name(const Telling& telling);

}  // namespace pawl::serial
