#include "agent/io/local_hardware.h"

#include <algorithm>

#include "agent/io/log.h"
#include "agent/io/system.h"

namespace pawl::agent {
namespace {

Happening OutcomeOf(const TestNext& ended) {
  if (const auto* failed = std::get_if<TestsFailed>(&ended)) {
    Log("self-test: failed: " + std::string(Text(failed->reason)) + ": " + failed->detail);
    return event::TestFailed{failed->reason, failed->detail};
  }
  Log("self-test: all passed");
  return event::TestsPassed{};
}

}  // namespace

LocalHardware::LocalHardware(std::unique_ptr<Board> board, std::vector<SelfTest> peripherals, const Config& config,
                             const KeyTable& anchors, HttpClient& http, std::unique_ptr<RecordBootControl> boot)
    : board_(std::move(board)),
      peripherals_(std::move(peripherals)),
      config_(config),
      anchors_(anchors),
      boot_(std::move(boot)),
      tests_(http, config, *board_) {}

Result<std::unique_ptr<Hardware>> LocalHardware::Open(std::unique_ptr<Board> board, std::vector<SelfTest> peripherals,
                                                      const Config& config, const KeyTable& anchors, HttpClient& http) {
  PAWL_ASSIGN(auto boot, RecordBootControl::Open(config, board->hand_off(), anchors));
  return std::unique_ptr<Hardware>(
      new LocalHardware(std::move(board), std::move(peripherals), config, anchors, http, std::move(boot)));
}

Status LocalHardware::StartSealing(const action::Seal& seal) {
  PAWL_ASSIGN(FileFlash * slot, boot_->StagingSlot());
  return sealer_.Start(*slot, anchors_, seal.envelope, seal.image_digest, seal.image_bytes);
}

void LocalHardware::StartTests() {
  const BootFacts& boot = boot_->facts();
  TestLimits limits;
  limits.patience_ms = std::uint64_t{config_.patience_s} * 1000;
  limits.link_wait_ms = std::uint64_t{config_.link_wait_s} * 1000;
  if (boot.mode == BootMode::kTrial) {
    limits.budget_ms = std::uint64_t{boot.running.trial_budget_s} * 1000;
    limits.link_wait_ms = std::min(limits.link_wait_ms, *limits.budget_ms / 3);
  }
  std::vector<SelfTest> tests = peripherals_;
  for (SelfTest& test : BuiltInTests(*boot_, config_, anchors_)) tests.push_back(std::move(test));
  tests.push_back(ConnectivityTest());
  for (SelfTest& test : ExecutableTests(config_)) tests.push_back(std::move(test));
  tests_.Start(std::move(tests), limits, MonotonicMs());
}

std::vector<Happening> LocalHardware::Work(std::uint64_t now_ms) {
  std::vector<Happening> happened;
  if (const auto sealed = sealer_.running() ? sealer_.Work() : std::nullopt) {
    if (*sealed) {
      happened.emplace_back(event::Sealed{});
    } else {
      happened.emplace_back(event::SealFailed{sealed->error()});
    }
  }
  if (const auto ended = tests_.Work(now_ms)) happened.push_back(OutcomeOf(*ended));
  return happened;
}

MakeHardware OnThisMachine(std::unique_ptr<Board> board, std::vector<SelfTest> peripherals) {
  return [board = std::move(board), peripherals = std::move(peripherals)](const Config& config, const KeyTable& anchors,
                                                                          HttpClient& http) mutable {
    return LocalHardware::Open(std::move(board), std::move(peripherals), config, anchors, http);
  };
}

}  // namespace pawl::agent
