// What every operation of the operator API has in common: who asks, may they, is the request what the operation takes.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/io/data/tokens.h"
#include "platform/io/http/api.h"
#include "platform/io/http/message.h"

namespace pawl::http {

// One authenticated call.
struct Call {
  Api& api;
  Request& request;
  data::Token token;
  data::Actor actor;         // the token's name
  boost::json::object body;  // of operations that take JSON
};

enum class Takes : std::uint8_t { kNothing, kJson, kFile };

struct Operation {
  std::string method;
  std::string path;                  // below /api/v1
  std::optional<data::Scope> scope;  // none: any valid token
  std::vector<std::string> query;    // the parameters that it knows
  Takes takes = Takes::kNothing;
  std::function<Result<Response>(Call&)> run;
};
void AddOperation(Router& router, Api& api, Operation operation);

// The token of the Authorization header. Errors: unauthenticated.
Result<data::Token> AuthenticateHeader(Api& api, std::string_view authorization);

// 415, if the request's body is not of this type.
std::optional<Response> RefuseType(const Request& request, std::string_view type);

Response JsonResponse(const boost::json::object& object, unsigned status = 200);

// The query's limit and after. Errors: invalid argument.
Result<data::PageRequest> PageOf(const Request& request);
// A number in the query. Errors: invalid argument.
Result<std::optional<std::uint64_t>> QueryNumber(const Request& request, std::string_view name, std::uint64_t min,
                                                 std::uint64_t max);
// A text in the query that must have this form; empty if it is not there. Errors: invalid argument.
Result<std::string> QueryText(const Request& request, std::string_view name, bool (*rule)(std::string_view));

// The groups of operations, one source file each.
void AddTokenOperations(Router& router, Api& api);
void AddReleaseOperations(Router& router, Api& api);  // classes, artifacts, releases
void AddDeviceOperations(Router& router, Api& api);
void AddCampaignOperations(Router& router, Api& api);  // campaigns, jobs
void AddEventOperations(Router& router, Api& api);     // events, audit, reasons, version
void AddHealthRoutes(Router& router, Api& api);        // /healthz, /readyz, /metrics

}  // namespace pawl::http
