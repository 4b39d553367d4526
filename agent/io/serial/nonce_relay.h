// A child's self-test of connectivity: its nonce goes to the platform over mutual TLS under the child's identity, on a
// connection of its own, and the child hears what came of it.
#pragma once

#include <optional>

#include "agent/io/connectivity.h"
#include "wire/serial/serial.h"

namespace pawl::agent {

class NonceRelay {
 public:
  // Lifetime: keeps both.
  NonceRelay(HttpClient& http, const Config& config) : connectivity_(http, config) {}

  // Asks the platform, unless it is being asked for this very nonce.
  void Want(const Nonce& nonce);
  // What to tell the child, once.
  std::optional<serial::Nonce> Take();

 private:
  Connectivity connectivity_;
  std::optional<Nonce> asked_;
};

}  // namespace pawl::agent
