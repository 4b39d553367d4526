#include "agent/core/content_range.h"

#include <charconv>

namespace pawl::agent {
namespace {

// Takes a decimal number off the front. Nothing: there is none, or it is too large.
std::optional<std::uint64_t> TakeNumber(std::string_view& text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] =
      std::from_chars(text.data(), end, value);  // NOLINT(bugprone-suspicious-stringview-data-usage)
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  return value;
}

bool Take(std::string_view& text, std::string_view what) {
  if (!text.starts_with(what)) return false;
  text.remove_prefix(what.size());
  return true;
}

}  // namespace

Result<ContentRange> ParseContentRange(std::string_view value) {
  const auto malformed = Fail(Reason::kMalformed, "Content-Range");
  ContentRange range;
  if (!Take(value, "bytes ")) return malformed;
  const auto first = TakeNumber(value);
  if (!first || !Take(value, "-")) return malformed;
  const auto last = TakeNumber(value);
  if (!last || *last < *first || !Take(value, "/")) return malformed;
  range.first = *first;
  range.last = *last;
  if (Take(value, "*")) return value.empty() ? Result<ContentRange>(range) : malformed;
  range.total = TakeNumber(value);
  if (!range.total || *range.total <= range.last || !value.empty()) return malformed;
  return range;
}

}  // namespace pawl::agent
