// A device for tests: flash in memory, keys made from names, a machine that boots and a line that is looked into.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "firmware/bare/host/host_machine.h"
#include "slots/fake_flash.h"
#include "trust/verify/test_signer.h"

namespace pawl::firmware::test {

using Bytes = std::vector<std::uint8_t>;
using pawl::test::TestKey;

inline constexpr Uuid kVendor{1};
inline constexpr Uuid kClass{2};
inline constexpr std::uint32_t kSectorBytes = 4096;
inline constexpr std::uint32_t kSectors = 32;
inline constexpr std::uint32_t kWatchdogMs = 3000;
inline constexpr std::uint32_t kTrialBudgetS = 60;

inline const TestKey& ImageKey() {
  static const TestKey key("bare firmware test image");
  return key;
}

struct Release {
  Bytes image;
  Bytes envelope;
  Digest digest{};
};
inline Manifest ManifestOf(const Bytes& image, std::uint64_t sequence) {
  Manifest manifest;
  manifest.sequence = sequence;
  manifest.version = {.major = static_cast<std::uint32_t>(sequence)};
  manifest.vendor = kVendor;
  manifest.cls = kClass;
  manifest.image_digest = crypto::Hash(image);
  manifest.image_bytes = image.size();
  manifest.security_version = 2;
  manifest.trial_budget_s = kTrialBudgetS;
  manifest.payload_digest = manifest.image_digest;
  manifest.payload_bytes = image.size();
  return manifest;
}
inline Release Sign(const Bytes& image, const Manifest& manifest, const TestKey& key = ImageKey()) {
  const Bytes encoded = pawl::test::Encode(manifest);
  return {image, pawl::test::SignManifest(encoded, {&key}), pawl::test::ManifestDigest(encoded)};
}
inline Release MakeRelease(std::uint64_t sequence, Behaviour behaviour = Behaviour::kGood, std::size_t bytes = 10'000) {
  const Bytes image = HostImage(behaviour, bytes, static_cast<std::uint8_t>(sequence));
  return Sign(image, ManifestOf(image, sequence));
}

// Looks into the line and counts feeds.
class FakePort final : public ChildPort {
 public:
  void Send(const serial::Frame& frame) override {
    for (const std::uint8_t byte : frame) {
      const auto got = reader_.Take(byte);
      if (const auto* payload = std::get_if<serial::FrameReader::Payload>(&got)) Keep(payload->bytes);
    }
  }
  void Print(std::string_view text) override { text_.append(text); }
  void Feed() override { ++feeds; }

  std::optional<serial::Answer> TakeAnswer(std::uint8_t number) {
    EXPECT_LE(answers_.size(), 1U);
    if (answers_.empty()) return std::nullopt;
    const serial::NumberedAnswer answer = answers_.back();
    answers_.clear();
    EXPECT_EQ(answer.number, number);
    return answer.answer;
  }
  template <class T>
  std::vector<T> TakeTellings() {
    std::vector<T> found;
    for (const serial::Telling& telling : tellings_) {
      if (const auto* wanted = std::get_if<T>(&telling)) found.push_back(*wanted);
    }
    std::erase_if(tellings_, [](const serial::Telling& telling) { return std::holds_alternative<T>(telling); });
    return found;
  }
  const std::string& text() const { return text_; }

  std::uint64_t feeds = 0;

 private:
  void Keep(ByteView payload) {
    const auto message = serial::DecodeFromChild(payload);
    ASSERT_TRUE(message.has_value()) << message.error().detail.view();
    if (const auto* answer = std::get_if<serial::NumberedAnswer>(&*message)) answers_.push_back(*answer);
    if (const auto* telling = std::get_if<serial::Telling>(&*message)) tellings_.push_back(*telling);
  }

  serial::FrameReader reader_;
  std::vector<serial::NumberedAnswer> answers_;
  std::vector<serial::Telling> tellings_;
  std::string text_;
};

class Device {
 public:
  Device() : machine(setup(), port) {}

  HostMachine::Setup setup() {
    return {.record = record_flash,
            .slots = {&slot_a, &slot_b},
            .rom = TestRom(),
            .rom_digest = {0xAB},
            .watchdog_ms = kWatchdogMs,
            .limits = {}};
  }
  FakeFlash& slot(Slot which) { return which == Slot::kA ? slot_a : slot_b; }
  // As a factory does.
  void Install(Slot which, const Release& release) {
    FakeFlash& flash = slot(which);
    for (std::uint64_t sector = 0; sector < kSectors; ++sector) ASSERT_TRUE(flash.Erase(sector).has_value());
    ASSERT_TRUE(flash.Program(0, release.image).has_value());
    ASSERT_TRUE(WriteEnvelope(flash, release.envelope).has_value());
  }
  // Boots and runs the machine; a child that tests itself is not polled yet.
  void Start(ResetCause cause = ResetCause::kPower) {
    now_ms += 1000;
    machine.Start(cause, now_ms);
  }
  Child& child() {
    PAWL_ASSERT(machine.child() != nullptr);
    return *machine.child();
  }
  const BootRecord& record() { return machine.record().state().record; }

  // One request, and its answer.
  serial::Answer Ask(const serial::Request& request) {
    const serial::NumberedRequest numbered{++number, request};
    const serial::Payload payload = serial::Encode(numbered);
    Put(payload);
    const auto answer = port.TakeAnswer(number);
    EXPECT_TRUE(answer.has_value()) << serial::Name(request);
    return answer.value_or(serial::Done{});
  }
  void Put(ByteView payload) {
    const serial::Frame frame = serial::Pack(payload);
    for (const std::uint8_t byte : frame) child().Take(byte, now_ms);
  }
  void GiveBack(const Nonce& nonce, serial::Relay relay) {
    const serial::Payload payload = serial::Encode(serial::NumberedRequest{++number, serial::Nonce{nonce, relay}});
    Put(payload);
  }
  // The reason of a refusal; none: it was not refused.
  Reason WhyNot(const serial::Request& request) {
    const serial::Answer answer = Ask(request);
    const auto* refused = std::get_if<serial::Refused>(&answer);
    return refused != nullptr ? refused->reason : Reason::kNone;
  }
  serial::Facts Facts() {
    const serial::Answer answer = Ask(serial::AskFacts{});
    const auto* facts = std::get_if<serial::Facts>(&answer);
    EXPECT_NE(facts, nullptr);
    return facts != nullptr ? *facts : serial::Facts{};
  }
  serial::Staged Staged(const serial::Request& request) {
    const serial::Answer answer = Ask(request);
    const auto* staged = std::get_if<serial::Staged>(&answer);
    EXPECT_NE(staged, nullptr) << "refused: " << Text(std::get<serial::Refused>(answer).reason);
    return staged != nullptr ? *staged : serial::Staged{};
  }

  // Polls for so long, in steps of 50 ms.
  void RunFor(std::uint64_t ms) {
    for (const std::uint64_t end = now_ms + ms; now_ms < end && !child().reset_wanted(); now_ms += 50) {
      child().Poll(now_ms);
    }
  }
  // Runs the self-tests with a gateway that gives every nonce back.
  void RunTests(serial::Relay relay = serial::Relay::kFresh) {
    for (int i = 0; i < 100 && !child().reset_wanted(); ++i) {
      RunFor(100);
      for (const auto& wanted : port.TakeTellings<serial::NonceWanted>()) GiveBack(wanted.nonce, relay);
    }
  }
  static serial::Begin BeginOf(const Release& release) {
    return {release.digest, release.image.size(), static_cast<std::uint32_t>(release.envelope.size())};
  }
  void PutImage(const Release& release, std::size_t from = 0) {
    for (std::size_t at = from; at < release.image.size();) {
      const ByteView rest = ByteView(release.image).subspan(at);
      const ByteView data = rest.first(std::min(rest.size(), serial::kMaxDataBytes));
      at += data.size();
      ASSERT_EQ(Staged(serial::Write{at - data.size(), data}).image_bytes, at);
    }
  }
  void PutEnvelope(const Release& release) {
    for (std::size_t at = 0; at < release.envelope.size();) {
      const ByteView rest = ByteView(release.envelope).subspan(at);
      const ByteView data = rest.first(std::min<std::size_t>(rest.size(), 100));
      at += data.size();
      ASSERT_EQ(Staged(serial::Envelope{static_cast<std::uint32_t>(at - data.size()), data}).envelope_bytes, at);
    }
  }
  void Stage(const Release& release) {
    EXPECT_EQ(Staged(BeginOf(release)).image_bytes, 0U);
    PutImage(release);
    PutEnvelope(release);
  }

  FakeFlash record_flash{2, kSectorBytes};
  FakeFlash slot_a{kSectors, kSectorBytes, 2};
  FakeFlash slot_b{kSectors, kSectorBytes, 3};
  FakePort port;
  HostMachine machine;
  std::uint64_t now_ms = 0;
  std::uint8_t number = 0;

 private:
  static Rom TestRom() {
    Rom rom;
    rom.anchors.keys.push_back(ImageKey().Entry(Role::kImage));
    rom.identity = {.vendor = kVendor, .cls = kClass, .board_revision = 2, .min_security_version = 1};
    return rom;
  }
};

}  // namespace pawl::firmware::test
