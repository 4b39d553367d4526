#include "cli/api.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace pawl::cli {

namespace json = boost::json;

namespace {

constexpr std::size_t kPageItems = 1000;  // the API's limit
constexpr std::size_t kMaxItems = 10'000'000;

Exit ExitOf(int status) {
  switch (status) {
    case 401:
    case 403:
      return Exit::kAuth;
    case 404:
      return Exit::kNotFound;
    case 409:
      return Exit::kRefused;
    case 429:
      return Exit::kUnreachable;
    default:
      break;
  }
  return status >= 500 ? Exit::kUnreachable : Exit::kUsage;
}

}  // namespace

Query& Query::Add(std::string_view name, std::string_view value) {
  if (value.empty()) return *this;
  target_ += target_.find('?') == std::string::npos ? '?' : '&';
  target_.append(name).append("=").append(UrlEncode(value));
  return *this;
}

Failure RefusalOf(const HttpAnswer& answer, const std::string& url) {
  const std::string status = "HTTP " + std::to_string(answer.status);
  boost::system::error_code error;
  const json::value body = json::parse(answer.body, error);
  const std::string message = error ? "" : Raw(At(body, "error"), "message");
  Failure failure{.exit = ExitOf(answer.status), .message = message, .remedy = {}};
  if (message.empty()) {
    failure.message = url + " answered " + status + ", but not as pawld does";
    failure.remedy = "check that the URL is that of pawld's operator API";
    return failure;
  }
  failure.remedy = Raw(At(body, "error"), "remedy");
  if (answer.retry_after_s > 0) failure.remedy += " (after " + std::to_string(answer.retry_after_s) + " s)";
  failure.json = answer.body;
  return failure;
}

Outcome<Answer> ParseAnswer(HttpAnswer answer, const std::string& url) {
  boost::system::error_code error;
  Answer parsed{.status = answer.status, .text = std::move(answer.body), .value = nullptr};
  if (answer.content_type == "application/json") {
    parsed.value = json::parse(parsed.text, error);
  } else {
    error = boost::system::errc::make_error_code(boost::system::errc::bad_message);
  }
  if (error)
    return Fail(Exit::kUnreachable, url + " answered, but not as pawld does",
                "check that the URL is that of pawld's operator API");
  return parsed;
}

Outcome<HttpAnswer> Api::Send(const HttpRequest& request) {
  CLI_ASSIGN(HttpAnswer answer, http_.Send(request));
  if (answer.status >= 300 || answer.status < 200) return std::unexpected(RefusalOf(answer, peer().url));
  return answer;
}

Outcome<Answer> Api::Exchange(const HttpRequest& request) {
  CLI_ASSIGN(HttpAnswer answer, Send(request));
  return ParseAnswer(std::move(answer), peer().url);
}

Outcome<Answer> Api::Get(const std::string& target) { return Exchange({.target = target}); }

Outcome<Answer> Api::Post(const std::string& target, const json::value& body) {
  return Exchange({.method = "POST",
                   .target = target,
                   .headers = {"Content-Type: application/json"},
                   .body = json::serialize(body)});
}

Outcome<Answer> Api::Post(const std::string& target) {
  return Exchange({.method = "POST", .target = target, .headers = {"Content-Type:"}});
}

Done Api::Delete(const std::string& target) {
  CLI_TRY(Send({.method = "DELETE", .target = target}));
  return {};
}

Outcome<Answer> Api::List(const Query& query, std::size_t max_items) {
  const std::size_t wanted = max_items == 0 ? kMaxItems : max_items;
  json::array items;
  std::string cursor;
  while (true) {
    const std::size_t page = std::min(kPageItems, wanted - items.size());
    CLI_ASSIGN(Answer answer, Get(Query(query).Add("limit", page).Add("after", cursor).target()));
    const std::string next = Raw(answer.value, "next");
    const bool whole = cursor.empty() && (next.empty() || Items(At(answer.value, "items")).size() >= wanted);
    if (whole) return answer;  // one page: as it came
    if (next == cursor)
      return Fail(Exit::kUnreachable, peer().url + " sent the same page of a list twice", "update pawl or pawld");
    for (const json::value& item : Items(At(answer.value, "items"))) items.push_back(item);
    cursor = next;
    if (!cursor.empty() && items.size() < wanted) continue;
    answer.value =
        json::object{{"items", std::move(items)}, {"next", cursor.empty() ? json::value() : json::value(cursor)}};
    answer.text = json::serialize(answer.value);
    return answer;
  }
}

const json::value& At(const json::value& value, std::string_view name) {
  static const json::value kNull;
  const json::object* object = value.if_object();
  const json::value* member = object != nullptr ? object->if_contains(name) : nullptr;
  return member != nullptr ? *member : kNull;
}

std::string Show(const json::value& value) {
  if (const json::string* text = value.if_string()) return Sanitise(*text);
  if (value.is_bool()) return value.get_bool() ? "yes" : "no";
  if (value.is_null()) return "-";
  return Sanitise(json::serialize(value));
}

std::string Raw(const json::value& value, std::string_view name) {
  const json::string* text = At(value, name).if_string();
  return text != nullptr ? std::string(*text) : std::string();
}

std::uint64_t Number(const json::value& value, std::string_view name) {
  const json::value& number = At(value, name);
  if (number.is_uint64()) return number.get_uint64();
  return number.is_int64() && number.get_int64() > 0 ? static_cast<std::uint64_t>(number.get_int64()) : 0;
}

bool IsTrue(const json::value& value, std::string_view name) {
  const json::value& truth = At(value, name);
  return truth.is_bool() && truth.get_bool();
}

std::span<const json::value> Items(const json::value& value) {
  const json::array* array = value.if_array();
  return array != nullptr ? std::span<const json::value>(array->data(), array->size()) : std::span<const json::value>();
}

}  // namespace pawl::cli
