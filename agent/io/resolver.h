// Names to addresses without blocking the loop (getaddrinfo_a).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"

namespace pawl::agent {

class Resolver {
 public:
  Resolver();
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Replaces a look-up that runs.
  void Start(const std::string& host);
  // Nothing: not yet. A numeric address as text, or unavailable.
  std::optional<Result<std::string>> Take();

 private:
  struct Lookup;
  std::shared_ptr<Lookup> lookup_;
};

}  // namespace pawl::agent
