// Snapshots and jobs for the tests of the ledger.
#pragma once

#include "platform/core/ledger.h"

namespace pawl::platform::testing {

template <std::size_t N>
std::array<std::uint8_t, N> Filled(std::uint8_t with) {
  std::array<std::uint8_t, N> bytes{};
  bytes.fill(with);
  return bytes;
}
inline const Digest kOldImage = Filled<32>(0x01);
inline const Digest kNewImage = Filled<32>(0x02);
inline const Digest kManifest = Filled<32>(0x22);
inline constexpr std::uint64_t kJobNumber = 5;
inline constexpr std::uint32_t kTrialBefore = 3;

// Before the job: runs the old image, confirmed.
inline wire::State Idle(std::uint64_t rev) {
  wire::State state;
  state.journal = Filled<16>(0x0a);
  state.rev = rev;
  state.running = {{"main", "A", kOldImage, Filled<32>(0x11), "1.0.0", 1, wire::Mode::kNormal}};
  state.trial = kTrialBefore;
  return state;
}

inline wire::State With(std::uint64_t rev, wire::Phase phase, Reason reason = Reason::kNone) {
  wire::State state = Idle(rev);
  state.job = wire::JobState{kJobNumber, kManifest, phase, reason, {}, {}};
  for (std::uint64_t at = 2; at <= rev; ++at) state.job->steps.push_back({phase, at});
  if (phase >= wire::Phase::kCommitted && phase <= wire::Phase::kRolledBack) state.trial = kTrialBefore + 1;
  if (phase == wire::Phase::kTrial || phase == wire::Phase::kSucceeded) {
    state.running.front() = {"main",
                             "B",
                             kNewImage,
                             kManifest,
                             "2.0.0",
                             2,
                             phase == wire::Phase::kTrial ? wire::Mode::kTrial : wire::Mode::kNormal};
  }
  return state;
}

inline wire::State WithDebt(std::uint64_t rev, Reason reason) {
  wire::State state = With(rev, wire::Phase::kRolledBack, reason);
  state.owed = wire::Owed{kTrialBefore + 1, kJobNumber, kManifest, reason, {}};
  return state;
}

inline JobView Offered() {
  JobView job;
  job.n = kJobNumber;
  job.manifest_digest = kManifest;
  job.image_digest = kNewImage;
  job.status = JobStatus::kOffered;
  job.trial_before = kTrialBefore;
  return job;
}
inline JobView Permitted() {
  JobView job = Offered();
  job.permitted = true;
  return job;
}

inline DeviceView Device(std::optional<wire::State> told) {
  DeviceView device;
  device.told = std::move(told);
  device.session = 1;
  device.boots = {Filled<16>(0xb0)};
  device.nonces = {Filled<16>(0xc0)};
  device.highest_n = kJobNumber;
  return device;
}

inline wire::Hello HelloOf(const wire::State& state, std::uint8_t boot, std::uint8_t nonce) {
  wire::Hello hello;
  hello.boot = Filled<16>(boot);
  hello.nonce = Filled<16>(nonce);
  hello.state = state;
  return hello;
}

}  // namespace pawl::platform::testing
