// Reads the members of a request's JSON object, one by one; what was not asked for is refused.
//
// Errors  malformed, invalid argument; the detail names the member and what is allowed.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pawl::http {

inline constexpr std::size_t kMaxJsonDepth = 8;

// Errors: malformed (with the place), invalid argument (not an object).
Result<boost::json::object> ParseJsonObject(std::string_view text);

class Members {
 public:
  // `path`: how to call it in messages: "", "targets.filter".
  explicit Members(const boost::json::object& object, std::string path = {})
      : object_(object), path_(std::move(path)) {}

  using Rule = bool (*)(std::string_view);
  bool Has(std::string_view name) const { return object_.contains(name); }
  Result<std::string> Text(std::string_view name, Rule rule, std::string_view allowed);
  Result<std::string> TextOr(std::string_view name, Rule rule, std::string_view allowed, std::string_view otherwise);
  Result<std::uint64_t> Number(std::string_view name, std::uint64_t min, std::uint64_t max);
  Result<std::uint64_t> NumberOr(std::string_view name, std::uint64_t min, std::uint64_t max, std::uint64_t otherwise);
  Result<std::optional<std::uint64_t>> MaybeNumber(std::string_view name, std::uint64_t min, std::uint64_t max);
  // 1..max texts, no two alike.
  Result<std::vector<std::string>> Texts(std::string_view name, std::size_t max, Rule rule, std::string_view allowed);
  // Null: absent.
  Result<const boost::json::object*> Object(std::string_view name);

  // Errors: invalid argument, if the object has a member that was not asked for.
  Status End() const;

 private:
  const boost::json::value* Find(std::string_view name);
  std::string Name(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  }

  const boost::json::object& object_;
  std::string path_;
  std::set<std::string, std::less<>> asked_;
};

}  // namespace pawl::http
