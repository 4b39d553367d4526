// Whole updates under power cuts: at every flash operation of every boot of every scenario, and again at every
// operation of the boot after it. The record and the decision are the real ones; the slots' verdicts are given.
//
// PAWL_POWER_CUT_SEEDS (default 1) multiplies the cases: each seed lets marginal bits read otherwise.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "boot/core/boot.h"
#include "slots/fake_flash.h"

namespace pawl {
namespace {

constexpr std::uint32_t kSectorBytes = 8 * kRecordCellBytes;  // small: the scenarios pass through compaction

enum class Firmware : std::uint8_t { kGood, kFailsItsTest, kHangs, kCrashes, kInvalid };
constexpr Firmware kAllFirmware[] = {Firmware::kGood, Firmware::kFailsItsTest, Firmware::kHangs, Firmware::kCrashes,
                                     Firmware::kInvalid};

// One device that gets one update after the other. Copyable: a copy is the same device at the same moment; the medium
// is the flash's.
class Device {
 public:
  Device(FakeFlash& flash, Firmware update) : flash_(&flash), update_(update) {}

  // From reset to the next reset. What it acts on, it remembers, and holds the next boot to it.
  void BootOnce() {
    RecordStore store(*flash_);
    const RecordState found = store.Load();
    if (!flash_->powered()) return Lose();
    ASSERT_NO_FATAL_FAILURE(CheckFound(found));
    const BootFacts facts{.slots = {SlotFactsOf(Slot::kA), SlotFactsOf(Slot::kB)}, .cause = cause_};
    Expect(Decide(found, facts).next, Decide(found, facts).commit);
    const Settled settled = Settle(store, facts);
    if (!flash_->powered()) return Lose();
    ASSERT_TRUE(settled.committed.has_value());
    Acted(store.state().record);
    ASSERT_NO_FATAL_FAILURE(Run(store, settled.decision));
    if (!flash_->powered()) Lose();
  }

  std::uint32_t trials() const { return acted_.trial; }
  bool settled() const { return !acted_.owed && !acted_.pending; }

 private:
  SlotFacts SlotFactsOf(Slot slot) const {
    const Digest digest = slot == staged_slot_ ? staged_ : Digest{};
    const bool verified = slot != staged_slot_ || update_ != Firmware::kInvalid;
    return {.verified = verified, .why = Reason::kImageDigest, .manifest_digest = digest, .sequence = 1};
  }

  // The power went: what is found next is what was acted on last, or the commit under way.
  void Lose() { cause_ = ResetCause::kPower; }

  void Expect(const BootRecord& next, bool commit) {
    underway_ = next;
    if (!commit) underway_ = acted_;
  }
  void Acted(const BootRecord& record) { acted_ = underway_ = record; }

  static BootRecord Unnumbered(BootRecord record) {
    record.sequence = 0;
    return record;
  }
  void CheckFound(const RecordState& found) {
    // Before the first record is acted on, a cut commit may look blank or lost.
    const bool none_yet = acted_ == BootRecord{};
    if (found.kind != RecordKind::kValid) {
      ASSERT_TRUE(none_yet) << "the record is lost";
      return;
    }
    const bool as_acted = !none_yet && found.record == acted_;
    const bool as_underway = Unnumbered(found.record) == Unnumbered(underway_);
    const bool first = none_yet && found.record.trial == 0 && !found.record.pending;
    ASSERT_TRUE(as_acted || as_underway || first) << "the state that was acted on has changed";
    // A rollback is never forgotten: only F4 clears it.
    if (acted_.owed && !found.record.owed) {
      ASSERT_TRUE(settling_) << "a rollback was forgotten";
    }
    settling_ = false;
    Acted(found.record);
  }

  // The commit of a transition; false: the power went.
  bool Commit(RecordStore& store, const Result<BootRecord>& next) {
    EXPECT_TRUE(next.has_value());
    Expect(*next, true);
    if (!store.Commit(*next)) return false;
    Acted(store.state().record);
    return true;
  }

  void Run(RecordStore& store, const BootDecision& decision) {
    ASSERT_FALSE(decision.recovery()) << "nothing to boot";
    const Slot running = *decision.slot;
    cause_ = ResetCause::kSoftware;
    if (decision.mode == BootMode::kTrial) {
      int& attempts = attempts_[acted_.trial];
      ASSERT_LE(++attempts, kMaxAttempts + kMaxPower) << "too many attempts";
      ASSERT_NE(update_, Firmware::kInvalid) << "an image that does not verify was booted";
      return RunTrial(store, running);
    }
    if (decision.mode == BootMode::kUnproven) {
      Commit(store, Confirm(acted_, running));
      return;
    }
    if (acted_.owed) {
      settling_ = true;
      Commit(store, SettleRollback(acted_, acted_.trial, acted_.job));
      return;
    }
    staged_slot_ = Other(running);
    staged_ = Digest{static_cast<std::uint8_t>(acted_.trial + 1), 0x5A};
    Commit(store,
           SetPending(acted_, running, {.slot = *staged_slot_, .job = 100 + acted_.trial, .manifest_digest = staged_}));
  }

  void RunTrial(RecordStore& store, Slot running) {
    switch (update_) {
      case Firmware::kGood:
        Commit(store, Confirm(acted_, running));
        break;
      case Firmware::kFailsItsTest:
        Commit(store, FailTrial(acted_, running, Reason::kSelfTestFailed, "memory"));
        break;
      case Firmware::kHangs:
        cause_ = ResetCause::kWatchdog;
        break;
      case Firmware::kCrashes:
      case Firmware::kInvalid:
        cause_ = ResetCause::kOther;
        break;
    }
  }

  FakeFlash* flash_;
  Firmware update_;
  ResetCause cause_ = ResetCause::kPower;
  BootRecord acted_;
  BootRecord underway_;
  bool settling_ = false;
  std::optional<Slot> staged_slot_;
  Digest staged_{};
  std::map<std::uint32_t, int> attempts_;
};

std::vector<Cut> CutsAt(std::uint64_t operation) {
  return {{operation, CutMode::kBefore, 0},
          {operation, CutMode::kTornMarginal, 1},
          {operation, CutMode::kTorn, 9},
          {operation, CutMode::kMarginal, 0},
          {operation, CutMode::kAfter, 0}};
}

class Campaign {
 public:
  Campaign(Firmware update, std::uint64_t seed) : flash_(2, kSectorBytes, seed), device_(flash_, update) {}

  // Boots `boots` times; cuts each of them in every way.
  void Run(int boots) {
    for (int boot = 0; boot < boots; ++boot) {
      const auto medium = flash_.Save();
      const Device device = device_;
      flash_.CountOperations();
      ASSERT_NO_FATAL_FAILURE(device_.BootOnce());
      const std::uint64_t operations = flash_.operations();
      const auto after = flash_.Save();
      for (std::uint64_t operation = 0; operation < operations; ++operation) {
        for (const Cut& cut : CutsAt(operation)) {
          flash_.Restore(medium);
          Device victim = device;
          flash_.CutAt(cut);
          victim.BootOnce();
          flash_.PowerOn();
          ASSERT_NO_FATAL_FAILURE(SecondCuts(victim)) << "boot " << boot << ", operation " << operation;
        }
      }
      flash_.Restore(after);
    }
  }
  std::uint64_t cases() const { return cases_; }

 private:
  void SecondCuts(const Device& device) {
    const auto medium = flash_.Save();
    for (std::uint64_t operation = 0, reached = 1; reached != 0; ++operation) {
      reached = 0;
      for (const Cut& cut : CutsAt(operation)) {
        flash_.Restore(medium);
        Device victim = device;
        flash_.CutAt(cut);
        ASSERT_NO_FATAL_FAILURE(victim.BootOnce());
        reached += flash_.powered() ? 0 : 1;
        flash_.PowerOn();
        ++cases_;
        ASSERT_NO_FATAL_FAILURE(GoOn(victim)) << "second cut at operation " << operation;
      }
    }
  }

  // With the power back for good, the device goes on to its next update.
  static void GoOn(Device& device) {
    const std::uint32_t trials = device.trials();
    for (int boot = 0; boot < 16 && !(device.settled() && device.trials() > trials); ++boot) {
      ASSERT_NO_FATAL_FAILURE(device.BootOnce());
    }
    ASSERT_TRUE(device.settled() && device.trials() > trials) << "the device does not get on";
  }

  FakeFlash flash_;
  Device device_;
  std::uint64_t cases_ = 0;
};

TEST(BootPowerCut, AtEveryFlashOperationOfEveryScenarioAndAgainInTheRecoveryNothingIsLost) {
  const char* text = std::getenv("PAWL_POWER_CUT_SEEDS");
  const std::uint64_t seeds = text != nullptr ? std::strtoull(text, nullptr, 10) : 1;
  std::uint64_t cases = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    for (const Firmware update : kAllFirmware) {
      Campaign campaign(update, seed);
      campaign.Run(8);
      ASSERT_FALSE(HasFatalFailure()) << "firmware " << static_cast<int>(update) << ", seed " << seed;
      cases += campaign.cases();
    }
  }
  EXPECT_GT(cases, 20000U);
  std::printf("%llu double power cuts\n", static_cast<unsigned long long>(cases));
}

}  // namespace
}  // namespace pawl
