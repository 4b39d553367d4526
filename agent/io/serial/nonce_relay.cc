#include "agent/io/serial/nonce_relay.h"

#include "agent/io/log.h"

namespace pawl::agent {
namespace {

constexpr std::uint64_t kTryMs = 10'000;

}  // namespace

void NonceRelay::Want(const Nonce& nonce) {
  if (asked_ == nonce) return;
  asked_ = nonce;
  connectivity_.Start(kTryMs, nonce);
}

// An answer without the nonce is not the platform's. A gateway without a link is not the child's fault either.
std::optional<serial::Nonce> NonceRelay::Take() {
  const auto verdict = connectivity_.Take();
  if (!verdict || !asked_) return std::nullopt;
  const bool fresh = *verdict == Verdict::kPass;
  Log(fresh ? "relay: the platform gave the child's nonce back" : "relay: no platform: " + connectivity_.detail());
  serial::Nonce told{*asked_, fresh ? serial::Relay::kFresh : serial::Relay::kNoPlatform};
  asked_.reset();
  return told;
}

}  // namespace pawl::agent
