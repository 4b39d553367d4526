#include "agent/core/download_plan.h"

#include <algorithm>

#include "base/assert.h"

namespace pawl::agent {
namespace {

// Too slow and wrong sizes are told as such; everything else as a failed download, with the last error.
Error Told(const Error& last, std::string_view why) {
  const bool telling = last.reason == Reason::kDownloadTooSlow || last.reason == Reason::kSizeMismatch;
  Error error{telling ? last.reason : Reason::kDownloadFailed, why};
  if (!last.detail.empty()) error.detail.append("; last: ").append(last.detail.view());
  return error;
}

}  // namespace

DownloadPlan::DownloadPlan(std::size_t sources, std::uint64_t chunks, std::uint64_t next, const DownloadLimits& limits)
    : sources_(sources), chunks_(chunks), next_(next), limits_(limits) {
  PAWL_ASSERT(sources >= 1 && chunks >= 1 && next <= chunks);
}

PlanNext DownloadPlan::Next(std::uint64_t now_ms) const {
  if (next_ == chunks_) return PlanDone{};
  if (bad_ > kChunkRetries) {
    Error error{limits_.bad_chunk, {}};
    if (limits_.bad_chunk == Reason::kChunkDigest) {
      error.detail.append("chunk ").append_number(next_).append(" of ").append_number(chunks_);
    } else {
      error.detail.append("the list of chunk digests");
    }
    error.detail.append(" came wrong ").append_number(bad_).append(" times");
    return PlanFailed{error};
  }
  if (hopeless_ >= kHopelessRounds * sources_) return PlanFailed{Told(last_, "every source refuses")};
  if (now_ms >= limits_.deadline_ms) return PlanFailed{Told(last_, "the deadline has passed")};
  if (now_ms < not_before_ms_) return WaitUntil{std::min(not_before_ms_, limits_.deadline_ms)};
  return AskRange{source_, next_, bad_ > 0 ? 1 : chunks_ - next_};
}

void DownloadPlan::ChunkGood() {
  PAWL_ASSERT(next_ < chunks_);
  ++next_;
  bad_ = 0;
  broken_ = 0;
  hopeless_ = 0;
}

void DownloadPlan::ChunkBad() {
  ++bad_;
  NextSource();
}

void DownloadPlan::Broken(Trouble trouble, const Error& error, std::uint64_t now_ms, std::uint64_t jitter) {
  last_ = error;
  ++broken_;
  hopeless_ = trouble == Trouble::kLasting ? hopeless_ + 1 : 0;
  NextSource();
  if (broken_ % sources_ != 0) return;
  const auto rounds = static_cast<std::uint32_t>(broken_ / sources_);
  not_before_ms_ = now_ms + FullJitter(limits_.backoff, rounds - 1, jitter);
}

}  // namespace pawl::agent
