// The operator API (api/openapi.yaml) as the commands use it: JSON in and out, refusals as Failures.
#pragma once

#include <boost/json/value.hpp>
#include <span>
#include <string>
#include <string_view>

#include "cli/http.h"
#include "cli/outcome.h"
#include "cli/text.h"

namespace pawl::cli {

struct Answer {
  int status = 0;
  std::string text;          // the JSON as it came
  boost::json::value value;  // null for an answer without body
};

// A path of the API, with what varies encoded: Path("devices", id, "why").
template <class... Segments>
std::string Path(const Segments&... segments);

// Adds ?name=value or &name=value; nothing for an empty value.
class Query {
 public:
  explicit Query(std::string target) : target_(std::move(target)) {}
  Query& Add(std::string_view name, std::string_view value);
  Query& Add(std::string_view name, std::uint64_t value) { return Add(name, std::to_string(value)); }
  const std::string& target() const { return target_; }

 private:
  std::string target_;
};

class Api {
 public:
  explicit Api(Http::Peer peer) : http_(std::move(peer)) {}

  Outcome<Answer> Get(const std::string& target);
  Outcome<Answer> Post(const std::string& target, const boost::json::value& body);
  Outcome<Answer> Post(const std::string& target);  // without a body
  Done Delete(const std::string& target);
  // Any request, any status.
  Outcome<HttpAnswer> Ask(const HttpRequest& request) { return http_.Send(request); }
  // Any request: a status of 4xx or 5xx is a Failure, with the platform's words.
  Outcome<HttpAnswer> Send(const HttpRequest& request);
  // Every item of a list, page by page, as one answer of the list's shape. max_items 0: all.
  Outcome<Answer> List(const Query& query, std::size_t max_items);

  const Http::Peer& peer() const { return http_.peer(); }

 private:
  Outcome<Answer> Exchange(const HttpRequest& request);

  Http http_;
};

// An answer with a body as JSON. Failures: kUnreachable (it is none).
Outcome<Answer> ParseAnswer(HttpAnswer answer, const std::string& url);
// The Failure that a refusal means.
Failure RefusalOf(const HttpAnswer& answer, const std::string& url);

// --- looking into JSON ---

// The member of this name, or null where there is none.
const boost::json::value& At(const boost::json::value& value, std::string_view name);
// For people: sanitised text, digits, "yes"/"no", "-" for null.
std::string Show(const boost::json::value& value);
inline std::string Show(const boost::json::value& value, std::string_view name) { return Show(At(value, name)); }
// As it is, for going on with; "" if it is no text.
std::string Raw(const boost::json::value& value, std::string_view name);
std::uint64_t Number(const boost::json::value& value, std::string_view name);  // 0 if it is none
bool IsTrue(const boost::json::value& value, std::string_view name);
// The items of an array; none if it is no array.
std::span<const boost::json::value> Items(const boost::json::value& value);

template <class... Segments>
std::string Path(const Segments&... segments) {
  std::string path = "/api/v1";
  ((path += '/', path += UrlEncode(segments)), ...);
  return path;
}

}  // namespace pawl::cli
