#include "platform/io/http/rate_limit.h"

#include <algorithm>

namespace pawl::http {

double RateLimit::LevelAt(const Bucket& bucket, Clock::time_point now) const {
  const std::chrono::duration<double> elapsed = now - bucket.at;
  return std::min(burst_, bucket.level + elapsed.count() * per_second_);
}

bool RateLimit::Take(const std::string& key, Clock::time_point now) {
  const std::scoped_lock lock(mutex_);
  if (buckets_.size() >= kMaxKeys && !buckets_.contains(key)) {
    std::erase_if(buckets_, [&](const auto& entry) { return LevelAt(entry.second, now) >= burst_; });
    if (buckets_.size() >= kMaxKeys) return false;
  }
  Bucket& bucket = buckets_.try_emplace(key, Bucket{burst_, now}).first->second;
  bucket.level = LevelAt(bucket, now);
  bucket.at = now;
  if (bucket.level < 1) return false;
  bucket.level -= 1;
  return true;
}

}  // namespace pawl::http
