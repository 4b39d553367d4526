// The self-test `connectivity`: a nonce goes over the line, to the platform and back. Freestanding, no heap.
#pragma once

#include "firmware/bare/port.h"
#include "firmware/bare/self_test.h"
#include "wire/serial/serial.h"

namespace pawl::firmware {

class Connectivity final : public SelfTest {
 public:
  static constexpr std::uint64_t kAskEveryMs = 1000;
  static constexpr std::uint64_t kHeardMs = 10'000;  // so long an answer says that the gateway is well

  // seed: differs from boot to boot. The nonces that come of it are fresh, not secret.
  Connectivity(ChildPort& port, const Digest& seed) : port_(port), seed_(seed) {}

  std::string_view name() const override { return "connectivity"; }
  TestOutcome Run(std::uint64_t now_ms) override;

  // Forgets every answer: a new run of the tests begins.
  void Restart();
  // An answer of the gateway. One to another nonce than the last is dropped.
  void Take(const serial::Nonce& answer, std::uint64_t now_ms);

 private:
  void NewNonce();

  ChildPort& port_;
  Digest seed_;
  std::uint32_t nonces_ = 0;  // made so far
  std::optional<Nonce> nonce_;
  std::optional<std::uint64_t> asked_ms_;
  std::optional<std::uint64_t> heard_ms_;
  bool fresh_ = false;
};

}  // namespace pawl::firmware
