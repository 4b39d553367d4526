#include "boot/core/boot.h"

namespace pawl {
namespace {

std::size_t IndexOf(Slot slot) { return static_cast<std::size_t>(slot); }

// Not inlined: a small bootloader wants it once.
[[gnu::noinline]] SlotFacts FactsOf(const Result<BootableSlot>& verdict) {
  SlotFacts facts;
  facts.verified = verdict.has_value();
  if (verdict) {
    const Manifest& manifest = verdict->manifest().get();
    facts.manifest_digest = verdict->manifest().digest();
    facts.sequence = manifest.sequence;
    facts.security_version = static_cast<std::uint32_t>(manifest.security_version);  // < 2^32 by the profile
  } else {
    facts.why = verdict.error().reason;
  }
  return facts;
}

}  // namespace

Settled Settle(RecordStore& record, const BootFacts& facts) {
  Settled settled{Decide(record.state(), facts), {}};
  if (settled.decision.commit) {
    settled.committed = record.Commit(settled.decision.next);  // S7: durable when it returns, before anybody jumps
    if (!settled.committed) WithoutCommit(record.state(), facts, settled.decision);
  }
  return settled;
}

Booted::Booted(RecordStore& record, BootSlots& slots, const Rom& rom, ResetCause cause, std::uint32_t watchdog_ms)
    : found(record.Load()),
      // The floor is 0 without a valid record.
      verdicts{
          {VerifySlot(slots, Slot::kA, rom, found.record.floor), VerifySlot(slots, Slot::kB, rom, found.record.floor)}},
      facts{.slots = {FactsOf(verdicts[0]), FactsOf(verdicts[1])}, .cause = cause},
      settled(Settle(record, facts)) {
  const BootDecision& decision = settled.decision;
  if (decision.recovery()) return;
  const Result<BootableSlot>& chosen = verdicts[IndexOf(*decision.slot)];
  // Redundant on purpose: whatever went wrong above, nothing runs that has no verified image.
  PAWL_ASSERT(chosen.has_value());
  image = &*chosen;
  hand_off = {.slot = *decision.slot,
              .mode = decision.mode,
              .cause = cause,
              .trial = decision.mode == BootMode::kTrial ? decision.next.trial : 0,
              .security_version = facts.of(*decision.slot).security_version,
              .watchdog_ms = watchdog_ms};
}

}  // namespace pawl
