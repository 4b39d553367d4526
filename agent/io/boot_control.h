// The port to whatever decides at boot. Our boot record is one implementation; U-Boot, GRUB or EFI variables can be
// others.
#pragma once

#include <memory>

#include "agent/core/boot_facts.h"
#include "agent/io/config.h"
#include "slots/file/file_flash.h"
#include "slots/record_store.h"
#include "trust/verify/verify.h"

namespace pawl::agent {

class BootControl {
 public:
  BootControl() = default;
  BootControl(const BootControl&) = delete;
  BootControl& operator=(const BootControl&) = delete;
  virtual ~BootControl() = default;

  virtual const BootFacts& facts() const = 0;
  // The transitions of docs/spec/boot.md; durable when they return, and facts() shows them.
  // Errors: transition not allowed, i/o error.
  virtual Status SetPending(std::uint64_t job, const Digest& manifest_digest) = 0;  // F1, of the slot that does not run
  virtual Status Confirm() = 0;                                                     // F2
  virtual Status FailTrial(Reason reason, std::string_view detail) = 0;             // F3
  virtual Status SettleRollback(std::uint32_t trial, std::uint64_t job) = 0;        // F4
  virtual Status SettleEmergency(std::uint16_t count) = 0;                          // F5
  virtual Status RaiseFloor(std::uint32_t value) = 0;                               // F6

  // Where the next image is staged, if that is allowed now. Errors: transition not allowed. Lifetime: this object's.
  virtual Result<FileFlash*> StagingSlot() = 0;
};

class RecordBootControl final : public BootControl {
 public:
  // Reads the record and the manifest of the slot that runs.
  // Errors: i/o error, corrupt (no record), and those of the running slot's envelope.
  static Result<std::unique_ptr<RecordBootControl>> Open(const Config& config, const HandOff& hand_off,
                                                         const KeyTable& anchors);

  const BootFacts& facts() const override { return facts_; }
  Status SetPending(std::uint64_t job, const Digest& manifest_digest) override;
  Status Confirm() override;
  Status FailTrial(Reason reason, std::string_view detail) override;
  Status SettleRollback(std::uint32_t trial, std::uint64_t job) override;
  Status SettleEmergency(std::uint16_t count) override;
  Status RaiseFloor(std::uint32_t value) override;
  Result<FileFlash*> StagingSlot() override;
  FileFlash& RunningSlot() { return *slots_[static_cast<std::size_t>(facts_.slot)]; }

 private:
  RecordBootControl() = default;
  Status Commit(const Result<BootRecord>& next);

  std::unique_ptr<FileFlash> record_flash_;
  std::unique_ptr<RecordStore> store_;
  std::array<std::unique_ptr<FileFlash>, 2> slots_;
  BootFacts facts_;
};

// What a slot's trailer says, its signatures verified. Errors: those of ReadEnvelope and Verify.
Result<VerifiedManifest> ReadManifest(Flash& slot, const KeyTable& anchors);

}  // namespace pawl::agent
