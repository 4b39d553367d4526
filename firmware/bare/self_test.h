// The self-tests: each a step that returns well within the watchdog's window. Freestanding, no heap.
#pragma once

#include "base/result.h"
#include "boot/core/verify_slot.h"
#include "firmware/bare/test_plan.h"
#include "slots/record_store.h"
#include "trust/crypto/crypto.h"

namespace pawl::firmware {

struct TestOutcome {
  Verdict verdict = Verdict::kPass;
  BoundedText<64> detail = {};
};

class SelfTest {
 public:
  virtual std::string_view name() const = 0;  // "peripheral:adc"
  virtual TestOutcome Run(std::uint64_t now_ms) = 0;

 protected:
  ~SelfTest() = default;
};

// The running slot answers: what it reads, it reads again.
class FlashTest final : public SelfTest {
 public:
  explicit FlashTest(Flash& slot) : slot_(slot) {}
  std::string_view name() const override { return "peripheral:flash"; }
  TestOutcome Run(std::uint64_t now_ms) override;

 private:
  Flash& slot_;
};

// The boot record on flash is the one that was loaded.
class RecordTest final : public SelfTest {
 public:
  explicit RecordTest(RecordStore& record) : record_(record) {}
  std::string_view name() const override { return "peripheral:record"; }
  TestOutcome Run(std::uint64_t now_ms) override;

 private:
  RecordStore& record_;
};

// Patterns over memory that nobody else uses.
class RamTest final : public SelfTest {
 public:
  explicit RamTest(std::span<std::uint32_t> memory) : memory_(memory) {}
  std::string_view name() const override { return "memory:ram"; }
  TestOutcome Run(std::uint64_t now_ms) override;

 private:
  std::span<volatile std::uint32_t> memory_;
};

// The running image as it lies in flash, part by part, against its verified manifest.
class ImageTest final : public SelfTest {
 public:
  ImageTest(Flash& slot, const Result<BootableManifest>& manifest) : slot_(slot), manifest_(manifest) {}
  std::string_view name() const override { return "memory:image"; }
  TestOutcome Run(std::uint64_t now_ms) override;

 private:
  TestOutcome Finish(const TestOutcome& outcome);
  Flash& slot_;
  const Result<BootableManifest>& manifest_;
  std::uint64_t done_ = 0;
  crypto::Sha256 hash_;
};

}  // namespace pawl::firmware
