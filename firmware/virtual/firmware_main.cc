// Virtual firmware: what pawl-machine runs from a slot. It contains the agent, as real firmware would. Version and
// behaviour are the build's; the bad behaviours are there to be caught.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "agent/io/agent.h"
#include "agent/io/local_hardware.h"
#include "agent/io/log.h"

namespace pawl::agent {
namespace {

enum class Behaviour {
  kGood,
  kSelfTestFails,  // a peripheral does not come up
  kHangs,          // a peripheral's driver never returns
  kCrashes,        // in the first instruction of main
  kNetworkBroken,  // a wrong static address: no packet leaves the device
  kNeverConfirms,  // a peripheral that is never ready, and says so for ever
};
constexpr Behaviour kBehaviour = Behaviour::PAWL_FIRMWARE_BEHAVIOUR;
constexpr const char* kAbsentAddress = "192.0.2.77";  // RFC 5737: nobody has it

TestOutcome TestAdc() {
  switch (kBehaviour) {
    case Behaviour::kSelfTestFails:
      return {Verdict::kFail, "reads 0 mV"};
    case Behaviour::kHangs:
      for (;;) ::pause();
    case Behaviour::kNeverConfirms:
      return {Verdict::kAgain, "the reference settles"};
    default:
      return {Verdict::kPass, {}};
  }
}

Result<std::unique_ptr<Agent>> Start() {
  PAWL_ASSIGN(MachineLine line, MachineLine::FromEnvironment());
  const char* folder = std::getenv(kDeviceDirVariable);
  if (folder == nullptr) return Fail(Reason::kNotFound, "PAWL_DEVICE_DIR is not set: not started by pawl-machine");
  PAWL_ASSIGN(Config config, LoadConfig(folder));
  if (kBehaviour == Behaviour::kNetworkBroken) config.bind_address = kAbsentAddress;
  std::vector<SelfTest> peripherals;
  peripherals.push_back({.name = "peripheral:adc", .run = TestAdc, .executable = {}});
  auto board = std::make_unique<MachineBoard>(std::move(line));
  return Agent::Open(std::move(config), OnThisMachine(std::move(board), std::move(peripherals)));
}

}  // namespace
}  // namespace pawl::agent

int main() {
  if (pawl::agent::kBehaviour == pawl::agent::Behaviour::kCrashes) std::abort();
  pawl::agent::Log("firmware " PAWL_FIRMWARE_VERSION);
  auto agent = pawl::agent::Start();
  if (!agent) {
    pawl::agent::LogError("firmware", agent.error());
    return 1;
  }
  (*agent)->Run();
  return 0;
}
