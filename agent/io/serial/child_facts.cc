#include "agent/io/serial/child_facts.h"

#include "base/hosted/files.h"
#include "base/text.h"
#include "slots/file/file_flash.h"
#include "slots/slot.h"
#include "trust/crypto/crypto.h"

namespace pawl::agent {
namespace {

constexpr std::size_t kMaxRomFileBytes = 65536;
constexpr std::uint64_t kMaxSlotBytes = 1ULL << 32;

std::unexpected<Error> Malformed(std::string_view what) { return Fail(Reason::kMalformed, what); }

// The hand-off is of the boot; what was confirmed since stands in the record.
BootMode ModeNow(const BootRecord& record, Slot slot, BootMode handed_off) {
  return record.confirmed == slot && record.proven ? BootMode::kNormal : handed_off;
}

std::string Start(const Digest& digest) {
  std::array<char, 16> hex{};
  return std::string(HexEncode(ByteView(digest).first(8), hex));
}

}  // namespace

Result<BootFacts> BootFactsOf(const serial::Facts& facts) {
  if (facts.slot > static_cast<std::uint8_t>(Slot::kB)) return Malformed("the child's facts: slot");
  if (facts.mode > static_cast<std::uint8_t>(BootMode::kUnproven)) return Malformed("the child's facts: mode");
  if (facts.cause > static_cast<std::uint8_t>(ResetCause::kOther)) return Malformed("the child's facts: cause");
  const auto record = DecodeRecord(facts.record);
  if (!record)
    return Fail(Reason::kCorrupt, "the child has no valid boot record: it was not started by its bootloader");
  const auto version = ParseVersion(facts.image_version.view());
  if (!version) return Malformed("the child's facts: version");
  BootFacts boot;
  boot.record = *record;
  boot.slot = static_cast<Slot>(facts.slot);
  boot.mode = ModeNow(*record, boot.slot, static_cast<BootMode>(facts.mode));
  boot.cause = static_cast<ResetCause>(facts.cause);
  boot.running_security_version = facts.security_version;
  boot.running = {facts.image_digest, facts.manifest_digest, *version, facts.sequence, facts.trial_budget_s};
  return boot;
}

Status CheckRom(const serial::Facts& facts, const Config& config) {
  PAWL_ASSIGN(const auto anchors, ReadFile(config.anchors, kMaxRomFileBytes));
  PAWL_ASSIGN(const auto identity, ReadFile(config.identity, kMaxRomFileBytes));
  crypto::Sha256 hash;
  hash.Update(AsBytes(anchors));
  hash.Update(AsBytes(identity));
  const Digest ours = hash.Finish();
  if (ours == facts.rom_digest) return {};
  return Fail(Reason::kConflict, config.anchors + " and identity.cbor (SHA-256 " + Start(ours) +
                                     "...) are not in this child's ROM (" + Start(facts.rom_digest) +
                                     "...): copy the child's own files there");
}

Status CheckGeometry(const serial::Facts& facts) {
  const bool whole = facts.sector_bytes != 0 && facts.slot_bytes % facts.sector_bytes == 0 &&
                     facts.slot_bytes % kSlotFileOptions.sector_bytes == 0;
  if (whole && facts.slot_bytes > kSlotTrailerBytes && facts.slot_bytes <= kMaxSlotBytes) return {};
  return Malformed("the child's facts: slot or sector size");
}

}  // namespace pawl::agent
