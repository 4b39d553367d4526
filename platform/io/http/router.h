// Which handler answers which method and path.
//
// Lifetime  routes are added before the server starts; the router then never changes.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/io/http/message.h"

namespace pawl::http {

inline constexpr std::uint64_t kMaxJsonBytes = 1 << 20;

enum class BodyKind : std::uint8_t {
  kBuffered,  // read whole before the handler runs
  kStreamed,  // the handler reads it; such handlers have worker threads of their own
};

struct Route {
  std::string method;
  std::string pattern;  // "/api/v1/devices/{id}": a segment in braces matches any one non-empty segment
  Handler handler;
  BodyKind body = BodyKind::kBuffered;
  std::uint64_t body_bytes_max = kMaxJsonBytes;
};

class Router {
 public:
  // Precondition: no other route has this method and pattern.
  void Add(Route route);

  struct Match {
    const Route* route = nullptr;  // null: not found, or (allow not empty) another method
    Fields parameters;
    std::string allow;  // the methods that the path has
  };
  // HEAD is answered by a route of its own only: most answers here have no use for it.
  Match Find(std::string_view method, std::string_view path) const;
  const std::vector<std::unique_ptr<Route>>& routes() const { return routes_; }

 private:
  std::vector<std::unique_ptr<Route>> routes_;
};

}  // namespace pawl::http
