#include "platform/io/http/message.h"

#include <algorithm>
#include <charconv>

#include "base/assert.h"

namespace pawl::http {
namespace {

const std::string* FindField(const Fields& fields, std::string_view name) {
  const auto found = std::ranges::find(fields, name, &Fields::value_type::first);
  return found == fields.end() ? nullptr : &found->second;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// `plus_is_space` in queries, as forms encode it.
Result<std::string> PercentDecode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return Fail(Reason::kMalformed, "the URL ends within a %-escape");
      const int high = HexDigit(text[i + 1]);
      const int low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return Fail(Reason::kMalformed, "the URL has a %-escape without two hex digits");
      c = static_cast<char>(high * 16 + low);
      if (!plus_is_space && c == '/') return Fail(Reason::kMalformed, "the URL's path has an encoded '/'");
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (IsControl(c)) return Fail(Reason::kMalformed, "the URL has a control character");
    decoded.push_back(c);
  }
  return decoded;
}

Status CheckSegments(std::string_view path) {
  std::size_t at = 1;
  while (at <= path.size()) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view segment = path.substr(at, end - at);
    if (segment == "." || segment == "..")
      return Fail(Reason::kMalformed, "the URL's path has a \".\" or \"..\" segment");
    at = end + 1;
  }
  return {};
}

Result<Fields> ParseQuery(std::string_view text) {
  Fields fields;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view field = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (field.empty()) continue;
    if (fields.size() == kMaxQueryFields) return Fail(Reason::kTooLarge, "the URL has more than 32 query fields");
    const std::size_t equal = std::min(field.find('='), field.size());
    PAWL_ASSIGN(auto name, PercentDecode(field.substr(0, equal), true));
    PAWL_ASSIGN(auto value, PercentDecode(field.substr(std::min(equal + 1, field.size())), true));
    fields.emplace_back(std::move(name), std::move(value));
  }
  return fields;
}

std::optional<std::uint64_t> Number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

RangeDecision Suffix(std::uint64_t length, std::uint64_t size) {
  if (length == 0 || size == 0) return {RangeKind::kUnsatisfiable, {}};
  const std::uint64_t bytes = std::min(length, size);
  return {RangeKind::kPart, {size - bytes, bytes}};
}

}  // namespace

std::string_view Request::header(std::string_view name) const {
  const std::string* value = FindField(headers, name);
  return value == nullptr ? std::string_view() : *value;
}

std::optional<std::string_view> Request::query_value(std::string_view name) const {
  const std::string* value = FindField(query, name);
  if (value == nullptr) return std::nullopt;
  return *value;
}

std::string_view Request::parameter(std::string_view name) const {
  const std::string* value = FindField(parameters, name);
  PAWL_ASSERT(value != nullptr);
  return *value;
}

std::string_view StatusText(unsigned status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Status";
  }
}

Result<Target> ParseTarget(std::string_view target) {
  if (target.size() > kMaxTargetBytes) return Fail(Reason::kTooLarge, "the URL is longer than 4096 bytes");
  if (target.empty() || target.front() != '/') return Fail(Reason::kMalformed, "the request's target is not a path");
  const std::size_t question = std::min(target.find('?'), target.size());
  Target parsed;
  PAWL_ASSIGN(parsed.path, PercentDecode(target.substr(0, question), false));
  PAWL_TRY(CheckSegments(parsed.path));
  PAWL_ASSIGN(parsed.query, ParseQuery(target.substr(std::min(question + 1, target.size()))));
  return parsed;
}

RangeDecision DecideRange(std::string_view range, std::uint64_t size) {
  const RangeDecision whole;
  constexpr std::string_view kUnit = "bytes=";
  if (!range.starts_with(kUnit)) return whole;
  const std::string_view spec = Trim(range.substr(kUnit.size()));
  const std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos || spec.find(',') != std::string_view::npos) return whole;
  const std::string_view first_text = spec.substr(0, dash);
  const std::string_view last_text = spec.substr(dash + 1);
  const auto first = Number(first_text);
  const auto last = Number(last_text);
  if (first_text.empty()) return last ? Suffix(*last, size) : whole;
  if (!first || (!last && !last_text.empty())) return whole;
  if (last && *last < *first) return whole;
  if (*first >= size) return {RangeKind::kUnsatisfiable, {}};
  const std::uint64_t end = last ? std::min(*last, size - 1) : size - 1;
  return {RangeKind::kPart, {*first, end - *first + 1}};
}

bool TagListHas(std::string_view list, std::string_view tag, bool weak) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    std::string_view item = Trim(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
    if (item == "*") return true;
    if (weak && item.starts_with("W/")) item.remove_prefix(2);
    if (item == tag) return true;
  }
  return false;
}

Response FileResponse(const Request& request, FileBody whole, const std::string& tag, std::string_view content_type) {
  Response response;
  response.set("ETag", tag).set("Accept-Ranges", "bytes").set("Cache-Control", "private, no-transform");
  const std::string_view if_match = request.header("if-match");
  const std::string_view if_none_match = request.header("if-none-match");
  if (!if_match.empty() && !TagListHas(if_match, tag, false)) {
    response.status = 412;
    return response;
  }
  if (if_match.empty() && !if_none_match.empty() && TagListHas(if_none_match, tag, true)) {
    response.status = 304;
    return response;
  }
  response.set("Content-Type", std::string(content_type));
  const std::string_view if_range = request.header("if-range");
  const bool ranged = if_range.empty() || if_range == tag;
  const std::uint64_t size = whole.bytes;
  const RangeDecision decision = ranged ? DecideRange(request.header("range"), size) : RangeDecision{};
  if (decision.kind == RangeKind::kUnsatisfiable) {
    response.status = 416;
    response.set("Content-Range", "bytes */" + std::to_string(size));
    return response;
  }
  if (decision.kind == RangeKind::kPart) {
    const ByteRange& range = decision.range;
    response.status = 206;
    response.set("Content-Range", "bytes " + std::to_string(range.first) + "-" +
                                      std::to_string(range.first + range.bytes - 1) + "/" + std::to_string(size));
    whole.offset = range.first;
    whole.bytes = range.bytes;
  }
  response.file = std::move(whole);
  return response;
}

}  // namespace pawl::http
