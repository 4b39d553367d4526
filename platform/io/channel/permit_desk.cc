#include "platform/io/channel/permit_desk.h"

#include <utility>

namespace pawl {

namespace {

// Errors that pass by themselves: the signer or the HSM does not answer.
bool IsSignerDown(const Error& error) {
  return error.reason == Reason::kUnavailable || error.reason == Reason::kTimeout || error.reason == Reason::kHsm;
}

}  // namespace

void PermitDesk::Start() {
  for (int i = 0; i < kWorkers; ++i) {
    workers_.emplace_back([this](const std::stop_token& stop) { Work(stop); });
  }
}

void PermitDesk::Stop() {
  for (std::jthread& worker : workers_) worker.request_stop();
  workers_.clear();
}

bool PermitDesk::Submit(data::PermitFacts facts) {
  {
    const std::scoped_lock lock(mutex_);
    const std::string device = facts.device;
    const auto found = waiting_.find(device);
    if (found != waiting_.end()) {
      found->second = std::move(facts);
      return true;
    }
    if (order_.size() >= kMaxPermitQueue) return false;
    waiting_.emplace(device, std::move(facts));
    order_.push_back(device);
  }
  changed_.notify_one();
  return true;
}

std::size_t PermitDesk::waiting() const {
  const std::scoped_lock lock(mutex_);
  return order_.size();
}

void PermitDesk::Work(std::stop_token stop) {
  while (true) {
    data::PermitFacts facts;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [this] { return !order_.empty(); })) return;
      auto entry = waiting_.extract(order_.front());
      order_.pop_front();
      facts = std::move(entry.mapped());
    }
    answer_(facts, Sign(facts));
  }
}

Result<std::vector<std::uint8_t>> PermitDesk::Sign(const data::PermitFacts& facts) {
  {
    const std::scoped_lock lock(mutex_);
    if (down_ && std::chrono::steady_clock::now() - down_since_ < kRestS) return std::unexpected(*down_);
  }
  auto signature = signer_(Permit{.device = std::string_view(facts.device),
                                  .job = facts.job,
                                  .manifest_digest = facts.manifest_digest,
                                  .nonce = facts.nonce,
                                  .use_within_s = facts.use_within_s});
  const std::scoped_lock lock(mutex_);
  down_.reset();
  if (!signature && IsSignerDown(signature.error())) {
    down_ = signature.error();
    down_since_ = std::chrono::steady_clock::now();
  }
  return signature;
}

}  // namespace pawl
