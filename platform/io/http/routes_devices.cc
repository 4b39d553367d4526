// The registry, for operators.
#include <boost/json/array.hpp>

#include "platform/io/http/filters.h"
#include "platform/io/http/members.h"
#include "platform/io/http/operation.h"
#include "platform/io/http/rules.h"
#include "platform/io/http/shapes.h"

namespace pawl::http {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kMax32 = 0xFFFFFFFF;

Result<json::object> DeviceShape(sql::Tx& tx, const data::Device& device) {
  PAWL_ASSIGN(const auto job, data::LatestJob(tx, device.id));
  return Shape(device, job);
}

std::string DeviceOf(const Call& call) { return std::string(call.request.parameter("device")); }

Result<Response> Create(Call& call) {
  Members members(call.body);
  data::DeviceSpec spec;
  PAWL_ASSIGN(spec.id, members.Text("id", IsLabel, "[a-z0-9][a-z0-9._-]{0,62}"));
  PAWL_ASSIGN(spec.class_name, members.Text("class", IsLabel, "a class's name"));
  PAWL_ASSIGN(spec.board_revision, members.NumberOr("board_revision", 0, kMax32, 0));
  PAWL_ASSIGN(const json::object* attributes, members.Object("attributes"));
  PAWL_ASSIGN(spec.attributes, ParseAttributes(attributes, "attributes"));
  PAWL_TRY(members.End());
  PAWL_ASSIGN(const data::ClaimedDevice made,
              call.api.database.Write([&](sql::Tx& tx) { return data::CreateDevice(tx, call.actor, spec); }));
  return JsonResponse({{"device", Shape(made.device, std::nullopt)}, {"claim", Shape(made.claim)}}, 201);
}

Result<Response> Reclaim(Call& call) {
  const std::string id = DeviceOf(call);
  PAWL_ASSIGN(const json::object object, call.api.database.Write([&](sql::Tx& tx) -> Result<json::object> {
    PAWL_ASSIGN(const data::Claim claim, data::NewClaim(tx, call.actor, id));
    PAWL_ASSIGN(const data::Device device, data::GetDevice(tx, id));
    PAWL_ASSIGN(json::object shape, DeviceShape(tx, device));
    return json::object{{"device", std::move(shape)}, {"claim", Shape(claim)}};
  }));
  return JsonResponse(object, 201);
}

Result<data::DeviceFilter> ParseFilter(const Request& request) {
  data::DeviceFilter filter;
  if (const auto state = request.query_value("state")) {
    PAWL_ASSIGN(filter.state, data::ParseDeviceState(*state));
  }
  PAWL_ASSIGN(filter.class_name, QueryText(request, "class", IsLabel));
  PAWL_ASSIGN(filter.id_glob, QueryText(request, "id", IsIdGlob));
  PAWL_ASSIGN(filter.via, QueryText(request, "via", IsLabel));
  for (const auto& [name, value] : request.query) {
    if (name != "attribute") continue;
    const std::size_t colon = value.find(':');
    if (colon == std::string::npos || !IsAttributeName(value.substr(0, colon)) ||
        !IsAttributeValue(value.substr(colon + 1))) {
      return Fail(Reason::kInvalidArgument, "attribute is \"" + value.substr(0, 60) + "\": allowed is name:value");
    }
    if (filter.attributes.size() == wire::kMaxAttributes)
      return Fail(Reason::kInvalidArgument, "attribute is given more than 16 times");
    filter.attributes.push_back({value.substr(0, colon), value.substr(colon + 1)});
  }
  return filter;
}

Result<Response> List(Call& call) {
  PAWL_ASSIGN(const auto page, PageOf(call.request));
  PAWL_ASSIGN(const auto filter, ParseFilter(call.request));
  PAWL_ASSIGN(const json::object object, call.api.database.Read([&](sql::Tx& tx) -> Result<json::object> {
    PAWL_ASSIGN(const auto devices, data::ListDevices(tx, filter, page));
    json::array items;
    for (const data::Device& device : devices.items) {
      PAWL_ASSIGN(json::object shape, DeviceShape(tx, device));
      items.push_back(std::move(shape));
    }
    return PageShape(std::move(items), devices.next);
  }));
  return JsonResponse(object);
}

Result<Response> Get(Call& call) {
  PAWL_ASSIGN(const json::object object, call.api.database.Read([&](sql::Tx& tx) -> Result<json::object> {
    PAWL_ASSIGN(const data::Device device, data::GetDevice(tx, DeviceOf(call)));
    return DeviceShape(tx, device);
  }));
  return JsonResponse(object);
}

Result<Response> Change(Call& call, data::DeviceAction action) {
  PAWL_ASSIGN(const std::string reason, ParseReason(call.body));
  PAWL_ASSIGN(const json::object object, call.api.database.Write([&](sql::Tx& tx) -> Result<json::object> {
    PAWL_ASSIGN(const data::Device device, data::ChangeDeviceState(tx, call.actor, DeviceOf(call), action, reason));
    return DeviceShape(tx, device);
  }));
  return JsonResponse(object);
}

Result<Response> Why(Call& call) {
  PAWL_ASSIGN(const data::Why why,
              call.api.database.Read([&](sql::Tx& tx) { return data::WhyNotUpdated(tx, DeviceOf(call)); }));
  return JsonResponse(Shape(why));
}

Result<Response> Jobs(Call& call) {
  PAWL_ASSIGN(const auto page, PageOf(call.request));
  PAWL_ASSIGN(const auto jobs, call.api.database.Read([&](sql::Tx& tx) -> Result<data::Page<data::Job>> {
    data::JobFilter filter;
    filter.device = DeviceOf(call);
    PAWL_TRY(data::GetDevice(tx, filter.device));
    return data::ListJobs(tx, filter, page);
  }));
  return JsonResponse(Shape(jobs));
}

}  // namespace

void AddDeviceOperations(Router& router, Api& api) {
  using data::Scope;
  const auto change = [](data::DeviceAction action) { return [action](Call& call) { return Change(call, action); }; };
  const auto add_change = [&](std::string_view verb, data::DeviceAction action) {
    AddOperation(router, api,
                 {"POST", "/devices/{device}/" + std::string(verb), Scope::kDevices, {}, Takes::kJson, change(action)});
  };
  AddOperation(router, api, {"POST", "/devices", Scope::kDevices, {}, Takes::kJson, Create});
  AddOperation(router, api,
               {"GET",
                "/devices",
                Scope::kRead,
                {"state", "class", "attribute", "id", "via", "limit", "after"},
                Takes::kNothing,
                List});
  AddOperation(router, api, {"GET", "/devices/{device}", Scope::kRead, {}, Takes::kNothing, Get});
  AddOperation(router, api, {"POST", "/devices/{device}/claim", Scope::kDevices, {}, Takes::kNothing, Reclaim});
  add_change("suspend", data::DeviceAction::kSuspend);
  add_change("activate", data::DeviceAction::kActivate);
  add_change("quarantine", data::DeviceAction::kQuarantine);
  add_change("decommission", data::DeviceAction::kDecommission);
  AddOperation(router, api, {"GET", "/devices/{device}/why", Scope::kRead, {}, Takes::kNothing, Why});
  AddOperation(router, api, {"GET", "/devices/{device}/jobs", Scope::kRead, {"limit", "after"}, Takes::kNothing, Jobs});
}

}  // namespace pawl::http
