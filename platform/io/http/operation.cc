#include "platform/io/http/operation.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "platform/io/http/errors.h"
#include "platform/io/http/members.h"
#include "platform/io/http/rules.h"

namespace pawl::http {
namespace {

namespace json = boost::json;

constexpr std::string_view kBase = "/api/v1";

Response Unauthenticated(Api& api, const Request& request, const Error& error) {
  if (error.reason == Reason::kUnauthenticated && !api.failed_logins.Take(request.peer.address)) {
    return ErrorResponse(
        ErrorOf(Reason::kRateLimited, "too many requests without a valid token from " + request.peer.address));
  }
  Response response = ErrorResponse(error);
  if (response.status == 401) response.set("WWW-Authenticate", "Bearer realm=\"pawl\"");
  return response;
}

// At most once a minute, and nobody waits for it.
void NoteUse(Api& api, const data::Token& token) {
  if (token.last_used_ms && data::SystemClockMs() - *token.last_used_ms < data::kLastUsedEveryMs) return;
  api.database.WriteAsync([id = token.id](sql::Tx& tx) { return data::NoteTokenUse(tx, id); }, [](const Status&) {});
}

Status CheckQuery(const Request& request, const std::vector<std::string>& known) {
  std::vector<std::string_view> seen;
  for (const auto& [name, value] : request.query) {
    if (std::ranges::find(known, name) == known.end()) {
      return Fail(Reason::kInvalidArgument, "unknown query parameter \"" + name.substr(0, 60) + "\"");
    }
    if (name != "attribute" && std::ranges::find(seen, name) != seen.end()) {
      return Fail(Reason::kInvalidArgument, "the query parameter " + name + " is given twice");
    }
    seen.push_back(name);
  }
  return {};
}

// How to find what was not found.
std::string_view RemedyFor(const Error& error, std::string_view path) {
  if (error.reason != Reason::kNotFound) return {};
  constexpr std::pair<std::string_view, std::string_view> kLists[] = {{"/tokens", "List them: pawl token list."},
                                                                      {"/classes", "List them: pawl class list."},
                                                                      {"/artifacts", "List them: pawl artifact list."},
                                                                      {"/releases", "List them: pawl release list."},
                                                                      {"/devices", "List them: pawl device list."},
                                                                      {"/campaigns", "List them: pawl campaign list."},
                                                                      {"/jobs", "List them: pawl job list."}};
  for (const auto& [prefix, remedy] : kLists) {
    if (path.starts_with(prefix) && path.size() > prefix.size()) return remedy;
  }
  return {};
}

Response Run(Api& api, const Operation& operation, Request& request) {
  auto token = AuthenticateHeader(api, request.header("authorization"));
  if (!token) return Unauthenticated(api, request, token.error());
  if (operation.scope && !data::Allows(*token, *operation.scope)) {
    return ErrorResponse(ErrorOf(Reason::kForbidden,
                                 "this needs a token with the scope \"" + std::string(Text(*operation.scope)) + "\""));
  }
  if (const Status known = CheckQuery(request, operation.query); !known) return ErrorResponse(known.error());
  NoteUse(api, *token);
  Call call{api, request, *token, data::Actor{token->name}, {}};
  if (operation.takes == Takes::kJson) {
    if (auto refused = RefuseType(request, "application/json")) return std::move(*refused);
    auto body = ParseJsonObject(request.body);
    if (!body) return ErrorResponse(body.error());
    call.body = std::move(*body);
  } else if (operation.takes == Takes::kFile) {
    if (auto refused = RefuseType(request, "application/octet-stream")) return std::move(*refused);
  }
  Result<Response> response = operation.run(call);
  return response ? std::move(*response) : ErrorResponse(response.error(), RemedyFor(response.error(), operation.path));
}

}  // namespace

std::optional<Response> RefuseType(const Request& request, std::string_view type) {
  const std::string_view header = request.header("content-type");
  std::string_view given = header.substr(0, std::min(header.find(';'), header.size()));  // "; charset=utf-8"
  while (given.ends_with(' ')) given.remove_suffix(1);
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  if (std::ranges::equal(given, type, {}, lower)) return std::nullopt;
  const std::string what = given.empty() ? "missing" : std::string(given.substr(0, 60));
  return ErrorResponse(
      415, ErrorOf(Reason::kInvalidArgument, "Content-Type is " + what + ", " + std::string(type) + " is needed"),
      "Send the type that the message names.");
}

Result<data::Token> AuthenticateHeader(Api& api, std::string_view authorization) {
  constexpr std::string_view kBearer = "Bearer ";
  if (authorization.empty()) return Fail(Reason::kUnauthenticated, "no token: the header Authorization is missing");
  if (!authorization.starts_with(kBearer))
    return Fail(Reason::kUnauthenticated, "the header Authorization is not \"Bearer <token>\"");
  const std::string_view text = authorization.substr(kBearer.size());
  return api.database.Read([&](sql::Tx& tx) { return data::Authenticate(tx, text); });
}

void AddOperation(Router& router, Api& api, Operation operation) {
  Route route;
  route.method = operation.method;
  route.pattern = std::string(kBase) + operation.path;
  if (operation.takes == Takes::kFile) {
    route.body = BodyKind::kStreamed;
    route.body_bytes_max = api.config.artifact_bytes_max;
  }
  route.handler = [&api, operation = std::move(operation)](Request& request) { return Run(api, operation, request); };
  router.Add(std::move(route));
}

Response JsonResponse(const json::object& object, unsigned status) {
  Response response;
  response.status = status;
  response.set("Content-Type", "application/json").set("Cache-Control", "no-store");
  response.body = json::serialize(object);
  return response;
}

Result<std::optional<std::uint64_t>> QueryNumber(const Request& request, std::string_view name, std::uint64_t min,
                                                 std::uint64_t max) {
  const auto text = request.query_value(name);
  if (!text) return std::optional<std::uint64_t>();
  const auto number = ParseNumber(*text);
  if (!number || *number < min || *number > max) {
    return Fail(Reason::kInvalidArgument, std::string(name) + " is " + std::string(text->substr(0, 40)) +
                                              ": allowed is " + std::to_string(min) + " to " + std::to_string(max));
  }
  return number;
}

Result<std::string> QueryText(const Request& request, std::string_view name, bool (*rule)(std::string_view)) {
  const auto text = request.query_value(name);
  if (!text) return std::string();
  if (!rule(*text))
    return Fail(Reason::kInvalidArgument, std::string(name) + " is \"" + std::string(text->substr(0, 60)) +
                                              "\": not of the form that is allowed");
  return std::string(*text);
}

Result<data::PageRequest> PageOf(const Request& request) {
  data::PageRequest page;
  PAWL_ASSIGN(const auto limit, QueryNumber(request, "limit", 1, data::kMaxPage));
  if (limit) page.limit = static_cast<std::size_t>(*limit);
  const auto after = request.query_value("after");
  if (after && (after->empty() || after->size() > 256))
    return Fail(Reason::kInvalidArgument, "after is not a cursor of an earlier answer");
  page.after = std::string(after.value_or(""));
  return page;
}

void AddOperatorRoutes(Router& router, Api& api) {
  AddTokenOperations(router, api);
  AddReleaseOperations(router, api);
  AddDeviceOperations(router, api);
  AddCampaignOperations(router, api);
  AddEventOperations(router, api);
  AddHealthRoutes(router, api);
}

}  // namespace pawl::http
