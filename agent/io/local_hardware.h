// The machine that the agent runs on: its boot record and slots are files or block devices, its self-tests run here.
#pragma once

#include "agent/io/board.h"
#include "agent/io/hardware.h"
#include "agent/io/sealer.h"
#include "agent/io/self_tests.h"

namespace pawl::agent {

class LocalHardware final : public Hardware {
 public:
  // peripherals: self-tests of this firmware's own, run before the standard ones. Lifetime: keeps config, anchors,
  // http. Errors: those of RecordBootControl::Open.
  static Result<std::unique_ptr<Hardware>> Open(std::unique_ptr<Board> board, std::vector<SelfTest> peripherals,
                                                const Config& config, const KeyTable& anchors, HttpClient& http);

  BootControl& boot() override { return *boot_; }
  std::uint64_t slot_bytes() const override { return boot_->RunningSlot().bytes(); }
  std::uint32_t watchdog_ms() const override { return board_->hand_off().watchdog_ms; }
  Status StartSealing(const action::Seal& seal) override;
  void StopSealing() override { sealer_.Stop(); }
  void StartTests() override;
  Status Feed() override { return board_->Feed(); }
  Status Reset() override { return board_->Reset(); }
  void AddTo(std::vector<pollfd>& fds) const override { tests_.AddTo(fds); }
  std::uint64_t NextMs() const override { return sealer_.running() ? 0 : tests_.next_ms(); }
  std::vector<Happening> Work(std::uint64_t now_ms) override;

 private:
  LocalHardware(std::unique_ptr<Board> board, std::vector<SelfTest> peripherals, const Config& config,
                const KeyTable& anchors, HttpClient& http, std::unique_ptr<RecordBootControl> boot);

  std::unique_ptr<Board> board_;
  std::vector<SelfTest> peripherals_;
  const Config& config_;
  const KeyTable& anchors_;
  std::unique_ptr<RecordBootControl> boot_;
  Sealer sealer_;
  SelfTestRunner tests_;
};

MakeHardware OnThisMachine(std::unique_ptr<Board> board, std::vector<SelfTest> peripherals);

}  // namespace pawl::agent
