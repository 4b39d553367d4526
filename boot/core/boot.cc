#include "boot/core/boot.h"

namespace pawl {
namespace {

SlotFacts FactsOf(const Result<BootableSlot>& slot) {
  if (!slot) return {.verified = false, .why = slot.error().reason};
  const Manifest& manifest = slot->manifest().get();
  return {.verified = true,
          .manifest_digest = slot->manifest().digest(),
          .sequence = manifest.sequence,
          .security_version = static_cast<std::uint32_t>(manifest.security_version)};  // < 2^32 by the profile
}

}  // namespace

Settled Settle(RecordStore& record, const BootFacts& facts) {
  const RecordState found = record.state();
  const BootDecision decision = Decide(found, facts);
  if (!decision.commit) return {decision, {}};
  const Status committed = record.Commit(decision.next);  // S7: durable when it returns, before anybody jumps
  if (committed) return {decision, {}};
  return {WithoutCommit(found, facts, decision), committed};
}

Booted Boot(RecordStore& record, BootSlots& slots, const Rom& rom, ResetCause cause, std::uint32_t watchdog_ms) {
  Booted boot;
  boot.found = record.Load();
  boot.facts.cause = cause;
  const std::uint32_t floor = boot.found.record.floor;  // 0 without a valid record
  std::array<std::optional<BootableSlot>, 2> images;
  for (const Slot slot : {Slot::kA, Slot::kB}) {
    const auto index = static_cast<std::size_t>(slot);
    const Result<BootableSlot> verified = VerifySlot(slots, slot, rom, floor);
    boot.facts.slots[index] = FactsOf(verified);
    if (verified) {
      images[index] = *verified;
    } else {
      boot.verdicts[index] = std::unexpected(verified.error());
    }
  }
  boot.settled = Settle(record, boot.facts);
  const BootDecision& decision = boot.settled.decision;
  if (decision.recovery()) return boot;
  // Redundant on purpose: whatever went wrong above, nothing runs that has no verified image.
  const auto& image = images[static_cast<std::size_t>(*decision.slot)];
  PAWL_ASSERT(image.has_value());
  boot.image = image;
  boot.hand_off = {.slot = *decision.slot,
                   .mode = decision.mode,
                   .cause = cause,
                   .trial = decision.mode == BootMode::kTrial ? decision.next.trial : 0,
                   .security_version = boot.facts.of(*decision.slot).security_version,
                   .watchdog_ms = watchdog_ms};
  return boot;
}

}  // namespace pawl
