// The platform's metrics, in Prometheus' text format. prometheus-cpp stays behind this header.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "platform/io/http/server.h"

namespace pawl::http {

// One number that is read when it is asked for.
struct Sample {
  std::string name;  // "pawl_devices"
  std::string help;
  bool counter = false;  // else a gauge
  Fields labels;
  double value = 0;
};

class Metrics {
 public:
  Metrics();
  ~Metrics();
  // Threads: any.
  void Observe(const Exchange& exchange);
  // The text: what was observed, then the samples.
  std::string Text(const std::vector<Sample>& samples) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::http
