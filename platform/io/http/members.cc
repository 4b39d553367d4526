#include "platform/io/http/members.h"

#include <algorithm>
#include <boost/json/parse.hpp>

namespace pawl::http {
namespace {

namespace json = boost::json;

std::string_view View(const json::string& text) { return {text.data(), text.size()}; }

std::unexpected<Error> Invalid(const std::string& what) { return Fail(Reason::kInvalidArgument, what); }

std::string Shorten(std::string_view text) { return "\"" + std::string(text.substr(0, 60)) + "\""; }

}  // namespace

Result<json::object> ParseJsonObject(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::error_code error;
  json::value value = json::parse(text, error, {}, options);
  if (error) return Fail(Reason::kMalformed, "the body is not JSON: " + error.message());
  if (!value.is_object()) return Invalid("the body is not a JSON object");
  return std::move(value.get_object());
}

const json::value* Members::Find(std::string_view name) {
  asked_.emplace(name);
  return object_.if_contains(name);
}

Result<std::string> Members::Text(std::string_view name, Rule rule, std::string_view allowed) {
  const json::value* value = Find(name);
  if (value == nullptr) return Invalid(Name(name) + " is missing");
  if (!value->is_string()) return Invalid(Name(name) + " is not a text");
  const std::string_view text = View(value->get_string());
  if (!rule(text)) return Invalid(Name(name) + " is " + Shorten(text) + ": allowed is " + std::string(allowed));
  return std::string(text);
}

Result<std::string> Members::TextOr(std::string_view name, Rule rule, std::string_view allowed,
                                    std::string_view otherwise) {
  if (Find(name) == nullptr) return std::string(otherwise);
  return Text(name, rule, allowed);
}

Result<std::uint64_t> Members::Number(std::string_view name, std::uint64_t min, std::uint64_t max) {
  PAWL_ASSIGN(const auto value, MaybeNumber(name, min, max));
  if (!value) return Invalid(Name(name) + " is missing");
  return *value;
}

Result<std::uint64_t> Members::NumberOr(std::string_view name, std::uint64_t min, std::uint64_t max,
                                        std::uint64_t otherwise) {
  PAWL_ASSIGN(const auto value, MaybeNumber(name, min, max));
  return value.value_or(otherwise);
}

Result<std::optional<std::uint64_t>> Members::MaybeNumber(std::string_view name, std::uint64_t min, std::uint64_t max) {
  const json::value* value = Find(name);
  if (value == nullptr) return std::optional<std::uint64_t>();
  json::error_code error;
  const auto number = value->is_number() ? value->to_number<std::uint64_t>(error) : std::uint64_t{0};
  if (!value->is_number() || error || value->is_double())
    return Invalid(Name(name) + " is not a whole number of 0 or more");
  if (number < min || number > max) {
    return Invalid(Name(name) + " is " + std::to_string(number) + ": allowed is " + std::to_string(min) + " to " +
                   std::to_string(max));
  }
  return std::optional(number);
}

Result<std::vector<std::string>> Members::Texts(std::string_view name, std::size_t max, Rule rule,
                                                std::string_view allowed) {
  const json::value* value = Find(name);
  if (value == nullptr) return Invalid(Name(name) + " is missing");
  if (!value->is_array() || value->get_array().empty() || value->get_array().size() > max) {
    return Invalid(Name(name) + " is not a list of 1 to " + std::to_string(max) + " texts");
  }
  std::vector<std::string> texts;
  for (const json::value& item : value->get_array()) {
    if (!item.is_string()) return Invalid(Name(name) + " has an item that is not a text");
    const std::string_view text = View(item.get_string());
    if (!rule(text)) return Invalid(Name(name) + " has " + Shorten(text) + ": allowed is " + std::string(allowed));
    texts.emplace_back(text);
  }
  std::vector<std::string> sorted = texts;
  std::ranges::sort(sorted);
  const auto twice = std::ranges::adjacent_find(sorted);
  if (twice != sorted.end()) return Invalid(Name(name) + " has " + Shorten(*twice) + " twice");
  return texts;
}

Result<const json::object*> Members::Object(std::string_view name) {
  const json::value* value = Find(name);
  if (value == nullptr) return nullptr;
  if (!value->is_object()) return Invalid(Name(name) + " is not an object");
  return &value->get_object();
}

Status Members::End() const {
  for (const auto& member : object_) {
    const std::string_view name(member.key().data(), member.key().size());
    if (!asked_.contains(name)) return Invalid("unknown member " + Shorten(Name(name)));
  }
  return {};
}

}  // namespace pawl::http
