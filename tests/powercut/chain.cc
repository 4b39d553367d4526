#include "tests/powercut/chain.h"

namespace pawl::powercut {
namespace {

constexpr Behaviour kBehaviours[] = {Behaviour::kGood,         Behaviour::kHangs,        Behaviour::kCrashes,
                                     Behaviour::kFailsItsTest, Behaviour::kGood,         Behaviour::kRotsPending,
                                     Behaviour::kBrownsOut,    Behaviour::kRotsConfirmed};

// A boot without an update has up to some ten operations, one with an update some twenty. Half of the cuts come early:
// in what the last cut left to be repaired. And half of them are marginal as a whole, which is what hurts most.
Cut RandomCut(std::minstd_rand& random) {
  const auto mode = random() % (2 * std::size(kAllCutModes));
  return {.operation = random() % 2 == 0 ? random() % 24 : random() % 6,
          .mode = mode < std::size(kAllCutModes) ? kAllCutModes[mode] : CutMode::kMarginal,
          .unit = static_cast<std::uint32_t>(random() % 4 == 0 ? random() % 100 : random() % 32)};
}

}  // namespace

Chain RunChain(std::uint64_t cuts, std::uint64_t seed, Plant plant) {
  Board board;
  Device::Provision(board);
  Device device(RecordStore(board.record).Peek(), kBehaviours, plant);
  std::minstd_rand random(static_cast<std::minstd_rand::result_type>(seed));
  board.power.Seed(seed + 1);
  Chain chain;
  while (chain.cuts < cuts && chain.broken == nullptr) {
    board.power.PowerOn(kAllMoods[random() % std::size(kAllMoods)]);
    board.power.CutAt(RandomCut(random));
    device.BootOnce(board);
    chain.cuts += board.power.on() ? 0 : 1;
    chain.broken = device.witness().broken();
  }
  chain.updates = device.witness().trials();
  return chain;
}

}  // namespace pawl::powercut
