// Token buckets by key (an address): how often something may fail or be asked for.
//
// Bounds   kMaxKeys keys; when there are more, those that are full again are forgotten, and if none is, the key is
// denied. Threads  any.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>

namespace pawl::http {

class RateLimit {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kMaxKeys = 10000;

  RateLimit(double per_second, double burst) : per_second_(per_second), burst_(burst) {}

  // Takes one from the key's bucket; false: it is empty.
  bool Take(const std::string& key, Clock::time_point now = Clock::now());

 private:
  struct Bucket {
    double level = 0;
    Clock::time_point at;
  };
  double LevelAt(const Bucket& bucket, Clock::time_point now) const;

  const double per_second_;
  const double burst_;
  std::mutex mutex_;
  std::map<std::string, Bucket> buckets_;
};

}  // namespace pawl::http
