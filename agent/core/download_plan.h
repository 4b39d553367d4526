// Which chunks to ask for next, from which source, when, and when to give up. Pure.
//
// One request asks for all that is missing and is taken chunk by chunk. A chunk whose digest is wrong ends it: that
// chunk alone is asked for again, up to three times, other sources first. A request that breaks is asked again from the
// next source at once; after a whole round of broken sources there is a wait, with full jitter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>

#include "agent/core/backoff.h"
#include "base/result.h"

namespace pawl::agent {

inline constexpr std::uint32_t kChunkRetries = 3;
inline constexpr std::uint32_t kHopelessRounds = 5;  // rounds in which every source refuses for good

struct DownloadLimits {
  Reason bad_chunk = Reason::kChunkDigest;  // told when a chunk stays wrong
  Backoff backoff{.base_ms = 250, .cap_ms = 30'000};
  std::uint64_t deadline_ms = 0;  // of the whole, on the monotonic clock
};

// Asks source `source` for chunks first..first+count-1.
struct AskRange {
  std::size_t source = 0;
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};
struct WaitUntil {
  std::uint64_t ms = 0;
};
struct PlanDone {};
struct PlanFailed {
  Error error;
};
using PlanNext = std::variant<AskRange, WaitUntil, PlanDone, PlanFailed>;

enum class Trouble : std::uint8_t {
  kPassing,  // no connection, too slow, cut off: may be better next time
  kLasting,  // this source refuses or answers nonsense: 404, wrong length, no ranges
};

class DownloadPlan {
 public:
  // sources, chunks >= 1; next: the first missing chunk.
  DownloadPlan(std::size_t sources, std::uint64_t chunks, std::uint64_t next, const DownloadLimits& limits);

  PlanNext Next(std::uint64_t now_ms) const;

  // The outcome of what Next asked for. Chunks arrive in order.
  void ChunkGood();
  void ChunkBad();
  // The request ended before its last chunk.
  void Broken(Trouble trouble, const Error& error, std::uint64_t now_ms, std::uint64_t jitter);
  // The link is back: no reason to wait any longer.
  void LinkBack() { not_before_ms_ = 0; }

  std::uint64_t next() const { return next_; }

 private:
  void NextSource() { source_ = (source_ + 1) % sources_; }

  std::size_t sources_;
  std::uint64_t chunks_;
  std::uint64_t next_;
  DownloadLimits limits_;
  std::size_t source_ = 0;
  std::uint32_t bad_ = 0;       // times that the next chunk came wrong
  std::uint32_t broken_ = 0;    // requests broken since the last good chunk
  std::uint32_t hopeless_ = 0;  // of these, in a row: refused for good
  std::uint64_t not_before_ms_ = 0;
  Error last_;
};

}  // namespace pawl::agent
