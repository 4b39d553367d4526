#include "agent/io/boot_control.h"

#include "slots/slot.h"

namespace pawl::agent {

Result<VerifiedManifest> ReadManifest(Flash& slot, const KeyTable& anchors) {
  SlotTrailer trailer;
  PAWL_ASSIGN(const ByteView envelope, ReadEnvelope(slot, trailer));
  return Verify(envelope, anchors);
}

Result<std::unique_ptr<RecordBootControl>> RecordBootControl::Open(const Config& config, const HandOff& hand_off,
                                                                   const KeyTable& anchors) {
  std::unique_ptr<RecordBootControl> control(new RecordBootControl);
  PAWL_ASSIGN(control->record_flash_, FileFlash::Open(config.record, kRecordFileOptions));
  PAWL_ASSIGN(control->slots_[0], FileFlash::Open(config.slot_a, kSlotFileOptions));
  PAWL_ASSIGN(control->slots_[1], FileFlash::Open(config.slot_b, kSlotFileOptions));
  control->store_ = std::make_unique<RecordStore>(*control->record_flash_);
  const RecordState& state = control->store_->Load();
  if (state.kind != RecordKind::kValid) {
    return Fail(Reason::kCorrupt, config.record + ": no valid boot record; let the bootloader start this image");
  }
  BootFacts& facts = control->facts_;
  facts.record = state.record;
  facts.slot = hand_off.slot;
  // The hand-off is of the boot; an agent that is started again later finds in the record what was confirmed since.
  const bool proven = state.record.confirmed == hand_off.slot && state.record.proven && !state.record.pending;
  facts.mode = proven ? BootMode::kNormal : hand_off.mode;
  facts.cause = hand_off.cause;
  facts.running_security_version = hand_off.security_version;
  PAWL_ASSIGN(const VerifiedManifest manifest, ReadManifest(control->RunningSlot(), anchors));
  facts.running = {manifest.get().image_digest, manifest.digest(), manifest.get().version, manifest.get().sequence,
                   manifest.get().trial_budget_s};
  return control;
}

Status RecordBootControl::Commit(const Result<BootRecord>& next) {
  if (!next) return std::unexpected(next.error());
  PAWL_TRY(store_->Commit(*next));
  facts_.record = store_->state().record;
  return {};
}

Status RecordBootControl::SetPending(std::uint64_t job, const Digest& manifest_digest) {
  return Commit(pawl::SetPending(facts_.record, facts_.slot, {Other(facts_.slot), job, manifest_digest}));
}

Status RecordBootControl::Confirm() {
  PAWL_TRY(Commit(pawl::Confirm(facts_.record, facts_.slot)));
  facts_.mode = BootMode::kNormal;
  return {};
}

Status RecordBootControl::FailTrial(Reason reason, std::string_view detail) {
  return Commit(pawl::FailTrial(facts_.record, facts_.slot, reason, detail));
}

Status RecordBootControl::SettleRollback(std::uint32_t trial, std::uint64_t job) {
  return Commit(pawl::SettleRollback(facts_.record, trial, job));
}

Status RecordBootControl::SettleEmergency(std::uint16_t count) {
  return Commit(pawl::SettleEmergency(facts_.record, count));
}

Status RecordBootControl::RaiseFloor(std::uint32_t value) {
  return Commit(pawl::RaiseFloor(facts_.record, facts_.slot, value, facts_.running_security_version));
}

Result<FileFlash*> RecordBootControl::StagingSlot() {
  const Slot staging = Other(facts_.slot);
  if (!MayWriteSlot(facts_.record, facts_.slot, staging)) {
    return Fail(Reason::kNotAllowed, "the other slot may not be written now");
  }
  return slots_[static_cast<std::size_t>(staging)].get();
}

}  // namespace pawl::agent
