// One device that gets one update after the other: the real Boot on a model of its flash, and a firmware that acts by
// the rows F1 to F6. Its witness sees all of it.
#pragma once

#include "tests/powercut/board.h"
#include "tests/powercut/witness.h"

namespace pawl::powercut {

// What a release does when it is tried, and what befalls it.
enum class Behaviour : std::uint8_t {
  kGood,          // confirms; then the floor is raised to its security version
  kFailsItsTest,  // F3
  kHangs,         // until the watchdog resets
  kCrashes,
  kBrownsOut,      // the power fails whenever it runs
  kRotsPending,    // its image changes after F1
  kRotsConfirmed,  // its image changes after F2
};

// Bugs for the campaign to find. kNone is the product.
enum class Plant : std::uint8_t {
  kNone,
  kJumpBeforeCommit,     // an attempt is made, then counted
  kEnvelopeBeforeFlush,  // the envelope is written while the image may still be in a cache
  kEnvelopeNotErased,    // the old envelope stands while the new image is written
  kFoundSlotKept,        // a slot that is found complete is not written again: it may have been cut, and yet read well
  kFoundImageKept,       // an image that is found is not written again, only its envelope
};

// Copyable: a copy is the same device at the same moment; the medium is the board's.
class Device {
 public:
  // Trial n behaves as behaviours[(n - 1) modulo their number]. Lifetime: keeps `behaviours`.
  Device(const RecordState& record, std::span<const Behaviour> behaviours, Plant plant)
      : behaviours_(behaviours), plant_(plant), witness_(record) {}

  // Release 0 into slot A: the factory.
  static void Provision(Board& board);

  // From reset to the next reset, or until the power goes.
  void BootOnce(Board& board);

  const Witness& witness() const { return witness_; }
  std::uint64_t Fingerprint() const { return Mixed(witness_.Fingerprint(), State()); }

 private:
  // The jump's hand-off; none: the power went, or an invariant broke.
  std::optional<HandOff> RunBootloader(Board& board);
  void CheckSlots(Board& board, const Booted& boot);
  void RunFirmware(Board& board, const HandOff& hand_off);
  ResetCause RunTrial(Board& board, const HandOff& hand_off);
  void RunConfirmed(Board& board, const HandOff& hand_off);
  bool RunErrands(RecordStore& store, const HandOff& hand_off);
  void Update(Board& board, RecordStore& store, Slot running);
  bool Load(Board& board, RecordStore& store);
  bool Commit(RecordStore& store, const Result<BootRecord>& next);
  bool Stage(Board& board, Slot slot, const Release& release);
  Status WriteSlot(FakeFlash& flash, const Release& release) const;
  static Status WriteImage(FakeFlash& flash, const Release& release);
  bool Holds(Board& board, Slot slot, const Release& release) const;
  void Rot(Board& board, Slot slot);

  Behaviour BehaviourOf(std::uint32_t trial) const { return behaviours_[(trial - 1) % behaviours_.size()]; }

  std::uint64_t State() const {
    return static_cast<std::uint64_t>(cause_) | std::uint64_t{rotten_} << 8 | std::uint64_t{rotted_trial_} << 16;
  }

  std::span<const Behaviour> behaviours_;
  Plant plant_;
  Witness witness_;
  ResetCause cause_ = ResetCause::kPower;
  std::uint8_t rotten_ = 0;         // by slot, a bit: its image changed by itself
  std::uint32_t rotted_trial_ = 0;  // each release rots once
};

}  // namespace pawl::powercut
