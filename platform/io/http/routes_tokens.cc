#include "platform/io/http/members.h"
#include "platform/io/http/operation.h"
#include "platform/io/http/rules.h"
#include "platform/io/http/shapes.h"

namespace pawl::http {
namespace {

constexpr std::uint64_t kMinTokenLifeS = 60;
constexpr std::uint64_t kMaxTokenLifeS = 315360000;

bool IsScope(std::string_view text) { return data::ParseScope(text).has_value(); }

Result<data::TokenSpec> ParseSpec(const Call& call) {
  Members members(call.body);
  data::TokenSpec spec;
  PAWL_ASSIGN(spec.name, members.Text("name", IsName, "1 to 100 characters"));
  PAWL_ASSIGN(const auto scopes, members.Texts("scopes", data::AllScopes().size(), IsScope,
                                               "read, devices, releases, campaigns, tokens or admin"));
  PAWL_ASSIGN(const auto life, members.MaybeNumber("expires_in_s", kMinTokenLifeS, kMaxTokenLifeS));
  PAWL_TRY(members.End());
  for (const std::string& text : scopes) {
    PAWL_ASSIGN(const data::Scope scope, data::ParseScope(text));
    spec.scopes.push_back(scope);
  }
  if (life) spec.expires_in_s = static_cast<std::int64_t>(*life);
  return spec;
}

Result<Response> Create(Call& call) {
  PAWL_ASSIGN(const data::TokenSpec spec, ParseSpec(call));
  for (const data::Scope scope : spec.scopes) {
    if (!data::Allows(call.token, scope)) {
      return Fail(Reason::kForbidden, "your token has not the scope \"" + std::string(Text(scope)) + "\" itself");
    }
  }
  PAWL_ASSIGN(const data::IssuedToken issued,
              call.api.database.Write([&](sql::Tx& tx) { return data::CreateToken(tx, call.actor, spec); }));
  auto object = Shape(issued.token);
  object["token"] = issued.text;
  return JsonResponse(object, 201);
}

Result<Response> List(Call& call) {
  PAWL_ASSIGN(const auto page, PageOf(call.request));
  PAWL_ASSIGN(const auto tokens, call.api.database.Read([&](sql::Tx& tx) { return data::ListTokens(tx, page); }));
  return JsonResponse(Shape(tokens));
}

Result<Response> Revoke(Call& call) {
  const std::string id(call.request.parameter("token"));
  PAWL_TRY(call.api.database.Write([&](sql::Tx& tx) { return data::RevokeToken(tx, call.actor, id); }));
  Response response;
  response.status = 204;
  return response;
}

Result<Response> Whoami(Call& call) { return JsonResponse(Shape(call.token)); }

}  // namespace

void AddTokenOperations(Router& router, Api& api) {
  using data::Scope;
  AddOperation(router, api, {"POST", "/tokens", Scope::kTokens, {}, Takes::kJson, Create});
  AddOperation(router, api, {"GET", "/tokens", Scope::kTokens, {"limit", "after"}, Takes::kNothing, List});
  AddOperation(router, api, {"DELETE", "/tokens/{token}", Scope::kTokens, {}, Takes::kNothing, Revoke});
  AddOperation(router, api, {"GET", "/whoami", {}, {}, Takes::kNothing, Whoami});
}

}  // namespace pawl::http
