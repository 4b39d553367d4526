#include "tests/powercut/campaign.h"

#include <sstream>

namespace pawl::powercut {
namespace {

constexpr int kBootsMax = 64;  // from any cut to the next update

std::vector<Cut> EveryCutAt(std::uint64_t operation, std::uint32_t units, std::uint32_t unit_step) {
  std::vector<Cut> cuts = {{operation, CutMode::kBefore},
                           {operation, CutMode::kMarginal},
                           {operation, CutMode::kAfter},
                           {operation, CutMode::kUnflushedLost},
                           {operation, CutMode::kOldestLost}};
  for (std::uint32_t unit = 0; unit < units; unit += unit_step) {
    cuts.push_back({operation, CutMode::kTorn, unit});
    cuts.push_back({operation, CutMode::kTornMarginal, unit});
  }
  return cuts;
}

// Torn at the first unit, and torn and marginal in the middle.
std::vector<Cut> SomeCutsAt(std::uint64_t operation, std::uint32_t units) {
  return {{operation, CutMode::kBefore},
          {operation, CutMode::kTorn, 1},
          {operation, CutMode::kTornMarginal, units / 2},
          {operation, CutMode::kMarginal},
          {operation, CutMode::kAfter}};
}

// How what is marginal may read; without such bits, all the same.
std::span<const Mood> MoodsOf(const Board& board) {
  return board.has_marginal() ? std::span(kAllMoods) : std::span(kAllMoods).first(1);
}

void PowerOn(Board& board, Mood mood, std::uint64_t seed) {
  board.power.PowerOn(mood);
  board.power.Seed(1 + seed % 2147483646);
}

std::uint64_t StateOf(Board& board, const Device& device, Mood mood) {
  return Mixed(Mixed(board.Fingerprint(), device.Fingerprint()), static_cast<std::uint64_t>(mood));
}

const char* Text(CutMode mode) {
  constexpr const char* kNames[] = {"before", "torn",           "torn and marginal", "marginal",
                                    "after",  "unflushed lost", "oldest lost"};
  return kNames[static_cast<std::size_t>(mode)];
}

}  // namespace

void Campaign::Prepare(Board& board, const Scenario& scenario) {
  Device::Provision(board);
  if (scenario.record == RecordKind::kLost) board.record.bytes_now()[5] = 0;
  for (std::uint32_t i = 0; i < scenario.commits_before; ++i) {
    RecordStore store(board.record);
    BootRecord record;
    record.proven = true;
    PAWL_ASSERT(store.Load().kind != RecordKind::kLost && store.Commit(record).has_value());
  }
}

Count Campaign::Run(const Scenario& scenario) {
  count_ = {};
  first_states_.clear();
  cases_.clear();
  good_.clear();
  Board board;
  Prepare(board, scenario);
  Device device(RecordStore(board.record).Peek(), scenario.behaviours, plant_);
  for (int boot = 0; boot < kBootsMax && device.witness().trials() < scenario.updates; ++boot) {
    where_ = scenario.name + ", boot " + std::to_string(boot);
    FirstCuts(board, device);
    PowerOn(board, Mood::kStrong, 1);
    device.BootOnce(board);
    if (device.witness().broken() != nullptr) {
      Fail(device.witness().broken());
      break;
    }
  }
  if (device.witness().trials() < scenario.updates) Fail("the device does not get on without any cut");
  return count_;
}

void Campaign::FirstCuts(Board& board, const Device& device) {
  board.Save(before_first_);
  Device uncut = device;
  PowerOn(board, Mood::kStrong, 1);
  board.power.CountOperations();
  uncut.BootOnce(board);
  const std::vector<std::uint32_t> units = board.power.units();
  for (std::uint64_t operation = 0; operation < units.size(); ++operation) {
    for (const Cut& cut : EveryCutAt(operation, units[operation], unit_step_)) {
      board.Restore(before_first_);
      Device victim = device;
      PowerOn(board, Mood::kStrong, 1);
      board.power.CutAt(cut);
      victim.BootOnce(board);
      PAWL_ASSERT(!board.power.on());
      first_ = cut;
      board.Save(before_second_);
      for (const Mood mood : MoodsOf(board)) {
        if (!first_states_.insert(StateOf(board, victim, mood))) continue;
        ++count_.first_cuts;
        SecondCuts(board, victim, mood);
        board.Restore(before_second_);
      }
    }
  }
  board.Restore(before_first_);
}

void Campaign::SecondCuts(Board& board, const Device& device, Mood mood) {
  const std::uint64_t first = StateOf(board, device, mood);
  Device uncut = device;
  PowerOn(board, mood, first);
  board.power.CountOperations();
  uncut.BootOnce(board);
  const std::vector<std::uint32_t> units = board.power.units();
  second_ = std::nullopt;
  ++count_.cases;
  if (const char* why = GoOn(board, uncut, mood); why != nullptr) Fail(why);
  for (std::uint64_t operation = 0; operation < units.size(); ++operation) {
    for (const Cut& cut : SomeCutsAt(operation, units[operation])) Case(board, device, first, mood, cut);
  }
}

void Campaign::Case(Board& board, const Device& device, std::uint64_t first, Mood mood, const Cut& second) {
  board.Restore(before_second_);
  Device victim = device;
  PowerOn(board, mood, first);
  board.power.CutAt(second);
  victim.BootOnce(board);
  PAWL_ASSERT(!board.power.on());
  second_ = second;
  const std::span<const Mood> moods = MoodsOf(board);
  if (moods.size() > 1) board.Save(after_second_);
  for (const Mood later : moods) {
    if (!cases_.insert(Mixed(first, StateOf(board, victim, later)))) continue;
    ++count_.cases;
    if (later != moods.front()) board.Restore(after_second_);
    Device survivor = victim;
    if (const char* why = GoOn(board, survivor, later); why != nullptr) Fail(why);
  }
}

// With the power back for good, the device goes on from update to update. Null: it does. What is in good_ was seen to
// begin two more; so it is enough to come to such a state, or to begin three more and to remember the way up to the
// first.
const char* Campaign::GoOn(Board& board, Device& device, Mood mood) {
  if (device.witness().broken() != nullptr) return device.witness().broken();
  const std::uint32_t trials = device.witness().trials();
  path_.clear();
  std::size_t remembered = 0;  // of the path
  for (int boot = 0; boot < kBootsMax && device.witness().trials() < trials + 3; ++boot) {
    const std::uint64_t state = StateOf(board, device, mood);
    if (good_.contains(state)) {
      remembered = path_.size();
      break;
    }
    path_.push_back(state);
    if (device.witness().trials() <= trials + 1) remembered = path_.size();
    PowerOn(board, mood, state);
    device.BootOnce(board);
    if (device.witness().broken() != nullptr) return device.witness().broken();
    if (boot == kBootsMax - 1) return "the device does not get on";
  }
  for (std::size_t i = 0; i < remembered; ++i) good_.insert(path_[i]);
  return nullptr;
}

void Campaign::Fail(const char* why) {
  ++count_.failed;
  if (!count_.example.empty()) return;
  std::ostringstream text;
  for (const std::optional<Cut>& cut : {first_, second_}) {
    if (!cut) continue;
    text << ", cut at operation " << cut->operation << " (" << Text(cut->mode);
    if (cut->mode == CutMode::kTorn || cut->mode == CutMode::kTornMarginal) text << " at unit " << cut->unit;
    text << ")";
  }
  count_.example = where_ + text.str() + ": " + why;
}

}  // namespace pawl::powercut
