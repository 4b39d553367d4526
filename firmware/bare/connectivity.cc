#include "firmware/bare/connectivity.h"

#include "wire/serial/frame.h"

namespace pawl::firmware {

void Connectivity::NewNonce() {
  std::array<std::uint8_t, 4> count;
  StoreLe(MutableBytes(count), ++nonces_);
  crypto::Sha256 hash;
  hash.Update(AsBytes("pawl nonce"));
  hash.Update(seed_);
  hash.Update(count);
  const Digest digest = hash.Finish();
  nonce_.emplace();
  std::copy_n(digest.begin(), nonce_->size(), nonce_->begin());
  asked_ms_.reset();
}

void Connectivity::Restart() {
  fresh_ = false;
  heard_ms_.reset();
  NewNonce();
}

TestOutcome Connectivity::Run(std::uint64_t now_ms) {
  if (fresh_) return {};
  if (!nonce_) NewNonce();
  if (!asked_ms_ || now_ms - *asked_ms_ >= kAskEveryMs) {
    port_.Send(serial::Pack(serial::Encode(serial::Telling(serial::NonceWanted{*nonce_}))));
    asked_ms_ = now_ms;
  }
  if (heard_ms_ && now_ms - *heard_ms_ <= kHeardMs) return {Verdict::kUndecided, "no platform answers"};
  return {Verdict::kNoLink, "no gateway answers"};
}

void Connectivity::Take(const serial::Nonce& answer, std::uint64_t now_ms) {
  if (answer.nonce != nonce_) return;
  if (answer.relay == serial::Relay::kFresh) {
    fresh_ = true;
    return;
  }
  heard_ms_ = now_ms;
  const auto asked = asked_ms_;
  NewNonce();
  asked_ms_ = asked;  // the next one in its time
}

}  // namespace pawl::firmware
