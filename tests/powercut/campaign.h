// Cuts the power at every flash operation of every boot of a scenario, in every way; and again at every operation of
// the recovery; and holds the device to its witness until it has begun its next updates.
//
// What is counted: states, by fingerprints of flash (marginal bits included), device and witness. Two cuts that leave
// the same state are one case. Where the state after a second cut was met before, it is counted, but not run again.
#pragma once

#include <string>
#include <vector>

#include "tests/powercut/device.h"
#include "tests/powercut/hash_set.h"

namespace pawl::powercut {

struct Scenario {
  std::string name;
  std::vector<Behaviour> behaviours;
  RecordKind record = RecordKind::kValid;  // before the first boot
  std::uint32_t commits_before = 0;        // valid: shifts where the compactions come
  std::uint32_t updates = 2;               // cut until the last of so many is begun
};

struct Count {
  std::uint64_t first_cuts = 0;  // distinct states of the device after one cut
  std::uint64_t cases = 0;       // distinct pairs of such a state and one after a second cut (or none), with moods
  std::uint64_t failed = 0;
  std::string example;  // the first that failed

  Count& operator+=(const Count& other) {
    first_cuts += other.first_cuts;
    cases += other.cases;
    failed += other.failed;
    if (example.empty()) example = other.example;
    return *this;
  }
};

class Campaign {
 public:
  // Torn at each `unit_step`th unit of the first cut's operation.
  explicit Campaign(Plant plant = Plant::kNone, std::uint32_t unit_step = 1) : plant_(plant), unit_step_(unit_step) {}
  Count Run(const Scenario& scenario);

 private:
  void Prepare(Board& board, const Scenario& scenario);
  void FirstCuts(Board& board, const Device& device);
  void SecondCuts(Board& board, const Device& device, Mood mood);
  void Case(Board& board, const Device& device, std::uint64_t first, Mood mood, const Cut& second);
  const char* GoOn(Board& board, Device& device, Mood mood);
  void Fail(const char* why);

  Plant plant_;
  std::uint32_t unit_step_;
  Count count_;
  std::string where_;
  std::optional<Cut> first_;
  std::optional<Cut> second_;
  HashSet first_states_;
  HashSet cases_;
  HashSet good_;  // device and mood from which the next update was reached
  std::vector<std::uint64_t> path_;
  Board::Snapshot before_first_;
  Board::Snapshot before_second_;
  Board::Snapshot after_second_;
};

}  // namespace pawl::powercut
