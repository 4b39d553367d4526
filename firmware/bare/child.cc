// What a Child is; its requests stand in child_requests.cc, its self-tests in child_tests.cc.
#include "firmware/bare/child.h"

namespace pawl::firmware {
namespace {

constexpr std::uint64_t kTellStartedEveryMs = 1000;
constexpr std::uint32_t kFeedsPerWindow = 4;

// The manifest of what runs, verified once more: the bootloader hands no bytes over.
Result<BootableManifest> ReadManifest(const Child::Setup& setup, SlotTrailer& buffer) {
  Flash& flash = *setup.slots[static_cast<std::size_t>(setup.hand_off.slot)];
  PAWL_ASSIGN(const ByteView envelope, ReadEnvelope(flash, buffer));
  PAWL_ASSIGN(const VerifiedManifest verified, Verify(envelope, setup.rom.anchors));
  const RomIdentity& identity = setup.rom.identity;
  return CheckBootable(verified, {.vendor = identity.vendor,
                                  .cls = identity.cls,
                                  .board_revision = identity.board_revision,
                                  .security_floor = identity.min_security_version,
                                  .slot_bytes = flash.bytes(),
                                  .slot = static_cast<std::uint64_t>(setup.hand_off.slot)});
}

template <class T>
void Add(crypto::Sha256& hash, T value) {
  std::array<std::uint8_t, sizeof(T)> bytes;
  StoreLe<T>(bytes, value);
  hash.Update(bytes);
}

// Differs from start to start; nothing secret.
Digest BootId(const Child::Setup& setup, std::uint64_t now_ms) {
  crypto::Sha256 hash;
  hash.Update(AsBytes("pawl boot"));
  hash.Update(EncodeRecord(setup.record.state().record));
  hash.Update(EncodeHandOff(setup.hand_off));
  Add(hash, setup.start_ticks);
  Add(hash, now_ms);
  return hash.Finish();
}

}  // namespace

Child::Child(const Setup& setup, std::uint64_t now_ms)
    : setup_(setup),
      staging_slot_(Other(setup.hand_off.slot)),
      manifest_(ReadManifest(setup, buffer_)),
      boot_(BootId(setup, now_ms)),
      staging_({.flash = *setup.slots[static_cast<std::size_t>(staging_slot_)],
                .slot = staging_slot_,
                .record = setup.record,
                .rom = setup.rom,
                .buffer = buffer_,
                .port = setup.port}),
      flash_test_(*setup.slots[static_cast<std::size_t>(setup.hand_off.slot)]),
      record_test_(setup.record),
      ram_test_(setup.spare_memory),
      image_test_(*setup.slots[static_cast<std::size_t>(setup.hand_off.slot)], manifest_),
      connectivity_(setup.port, boot_) {
  PAWL_ASSERT(setup.own_tests.size() <= kMaxOwnTests);
  for (SelfTest* test : setup.own_tests) all_tests_.push_back(test);
  all_tests_.push_back(&flash_test_);
  all_tests_.push_back(&record_test_);
  all_tests_.push_back(&ram_test_);
  all_tests_.push_back(&image_test_);
  all_tests_.push_back(&connectivity_);
  if (setup.hand_off.mode != BootMode::kNormal) StartTests(now_ms);
}

void Child::Take(std::uint8_t byte, std::uint64_t now_ms) {
  const serial::FrameReader::Got got = reader_.Take(byte);
  if (const auto* payload = std::get_if<serial::FrameReader::Payload>(&got)) Serve(payload->bytes, now_ms);
}

bool Child::Poll(std::uint64_t now_ms) {
  FeedOutsideTrials(now_ms);
  if (!facts_asked_ && (!started_told_ms_ || now_ms - *started_told_ms_ >= kTellStartedEveryMs)) {
    serial::Started started;
    std::copy_n(boot_.begin(), started.boot.size(), started.boot.begin());
    Tell(started);
    started_told_ms_ = now_ms;
  }
  RunTests(now_ms);
  return plan_ && not_before_ms_ <= now_ms;
}

void Child::FeedOutsideTrials(std::uint64_t now_ms) {
  if (in_trial()) return;
  if (fed_ms_ && now_ms - *fed_ms_ < setup_.hand_off.watchdog_ms / kFeedsPerWindow) return;
  fed_ms_ = now_ms;
  setup_.port.Feed();
}

}  // namespace pawl::firmware
