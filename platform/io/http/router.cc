#include "platform/io/http/router.h"

#include <algorithm>
#include <optional>

#include "base/assert.h"

namespace pawl::http {
namespace {

// Takes the first segment off a path that starts with '/'.
std::string_view TakeSegment(std::string_view& path) {
  path.remove_prefix(1);
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string_view segment = path.substr(0, end);
  path.remove_prefix(end);
  return segment;
}

bool IsParameter(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

std::optional<Fields> MatchPattern(std::string_view pattern, std::string_view path) {
  Fields parameters;
  while (!pattern.empty() && !path.empty()) {
    const std::string_view expected = TakeSegment(pattern);
    const std::string_view segment = TakeSegment(path);
    if (IsParameter(expected)) {
      if (segment.empty()) return std::nullopt;
      parameters.emplace_back(std::string(expected.substr(1, expected.size() - 2)), std::string(segment));
    } else if (expected != segment) {
      return std::nullopt;
    }
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return parameters;
}

}  // namespace

void Router::Add(Route route) {
  PAWL_ASSERT(route.pattern.starts_with('/') && route.handler);
  const bool taken = std::ranges::any_of(
      routes_, [&](const auto& r) { return r->method == route.method && r->pattern == route.pattern; });
  PAWL_ASSERT(!taken);
  routes_.push_back(std::make_unique<Route>(std::move(route)));
}

Router::Match Router::Find(std::string_view method, std::string_view path) const {
  Match match;
  for (const auto& route : routes_) {
    auto parameters = MatchPattern(route->pattern, path);
    if (!parameters) continue;
    if (route->method == method) return {route.get(), std::move(*parameters), {}};
    match.allow += (match.allow.empty() ? "" : ", ") + route->method;
  }
  return match;
}

}  // namespace pawl::http
