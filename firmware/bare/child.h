// The firmware's logic behind a serial line: self-tests after a new start, and the gateway's requests (docs/spec/
// serial.md). It knows no board: flash, port and time come from outside, so the same code runs on bare metal and in
// host tests. Freestanding, no heap.
//
// Use      one Child per start. Take each byte that comes in, Poll in between, without end; when reset_wanted, see that
//          all output has left, and reset.
// Watchdog Until a trial is confirmed only completed self-tests feed it; otherwise Poll does.
#pragma once

#include "firmware/bare/connectivity.h"
#include "firmware/bare/staging.h"
#include "wire/serial/frame.h"

namespace pawl::firmware {

inline constexpr std::size_t kMaxOwnTests = 8;

class Child {
 public:
  // Lifetime: all that is referred to outlives the child. Precondition: `record` is loaded.
  struct Setup {
    ChildPort& port;
    HandOff hand_off;
    RecordStore& record;
    std::array<Flash*, 2> slots;  // by Slot
    const Rom& rom;
    Digest rom_digest{};                         // SHA-256 over the blobs of `rom`
    std::span<SelfTest* const> own_tests = {};   // of the board and its peripherals; at most kMaxOwnTests
    std::span<std::uint32_t> spare_memory = {};  // that memory:ram may overwrite
    std::uint64_t start_ticks = 0;               // differs between two starts as well as the board can make it
    TestLimits limits = {};                      // the budget comes from the manifest
  };
  Child(const Setup& setup, std::uint64_t now_ms);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void Take(std::uint8_t byte, std::uint64_t now_ms);
  // At most one step of a self-test. True: the next one need not wait.
  bool Poll(std::uint64_t now_ms);
  bool reset_wanted() const { return reset_wanted_; }

 private:
  bool in_trial() const { return setup_.hand_off.mode == BootMode::kTrial && tests_ != serial::Tests::kPassed; }

  // The line.
  void Serve(ByteView payload, std::uint64_t now_ms);
  void Send(std::uint8_t number, const Result<serial::Answer>& answer);
  void Tell(const serial::Telling& telling);
  Result<serial::Answer> On(const serial::AskFacts& request);
  Result<serial::Answer> On(const serial::Begin& request);
  Result<serial::Answer> On(const serial::HashStaged& request);
  Result<serial::Answer> On(const serial::Write& request);
  Result<serial::Answer> On(const serial::Envelope& request);
  Result<serial::Answer> On(const serial::Seal& request);
  Result<serial::Answer> On(const serial::Pending& request);
  Result<serial::Answer> On(const serial::SettleRollback& request);
  Result<serial::Answer> On(const serial::SettleEmergency& request);
  Result<serial::Answer> On(const serial::RaiseFloor& request);
  Result<serial::Answer> On(const serial::Reset& request);
  Status Commit(const Result<BootRecord>& next);
  Result<serial::Answer> Settle(const Result<BootRecord>& next);

  // The self-tests.
  void StartTests(std::uint64_t now_ms);
  void RunTests(std::uint64_t now_ms);
  void RunOne(std::uint64_t now_ms);
  void TestsPassed(std::uint64_t now_ms);
  void TestsFailed(Reason reason, std::uint64_t now_ms);
  void Report(Verdict verdict);
  void FeedOutsideTrials(std::uint64_t now_ms);

  Setup setup_;
  Slot staging_slot_;
  SlotTrailer buffer_{};
  Result<BootableManifest> manifest_;  // of the running slot
  Digest boot_{};                      // of which the first half is told
  Staging staging_;
  serial::FrameReader reader_;
  bool facts_asked_ = false;
  std::optional<std::uint64_t> started_told_ms_;
  std::optional<std::uint64_t> fed_ms_;
  bool reset_wanted_ = false;

  FlashTest flash_test_;
  RecordTest record_test_;
  RamTest ram_test_;
  ImageTest image_test_;
  Connectivity connectivity_;
  BoundedVec<SelfTest*, kMaxOwnTests + 5> all_tests_;
  std::optional<TestPlan> plan_;  // while tests run
  serial::Tests tests_ = serial::Tests::kNone;
  BoundedText<serial::kMaxDetailBytes> tests_detail_;
  BoundedText<serial::kMaxDetailBytes> reported_;  // of a test that is not done: once, not at every try
  std::uint64_t not_before_ms_ = 0;                // the next step
};

}  // namespace pawl::firmware
