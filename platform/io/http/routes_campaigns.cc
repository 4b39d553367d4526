// Campaigns and jobs.
#include <boost/json/array.hpp>

#include "platform/io/http/errors.h"
#include "platform/io/http/filters.h"
#include "platform/io/http/members.h"
#include "platform/io/http/operation.h"
#include "platform/io/http/rules.h"
#include "platform/io/http/shapes.h"

namespace pawl::http {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxNamedTargets = 10000;

Result<json::object> CampaignShape(sql::Tx& tx, const data::Campaign& campaign) {
  PAWL_ASSIGN(const data::Release release, data::GetRelease(tx, campaign.release));
  return Shape(campaign, release);
}

Result<data::DeviceFilter> ParseFilter(const json::object& object) {
  Members members(object, "targets.filter");
  data::DeviceFilter filter;
  PAWL_ASSIGN(filter.class_name, members.TextOr("class", IsLabel, "a class's name", ""));
  PAWL_ASSIGN(filter.id_glob, members.TextOr("id_glob", IsIdGlob, "[a-z0-9._*?-]{1,63}", ""));
  PAWL_ASSIGN(filter.via, members.TextOr("via", IsLabel, "a gateway's name", ""));
  PAWL_ASSIGN(const json::object* attributes, members.Object("attributes"));
  PAWL_ASSIGN(filter.attributes, ParseAttributes(attributes, "targets.filter.attributes"));
  PAWL_TRY(members.End());
  return filter;
}

Status ParseTargets(const json::object& object, data::CampaignSpec& spec) {
  Members members(object, "targets");
  PAWL_ASSIGN(const json::object* filter, members.Object("filter"));
  if (filter != nullptr) {
    PAWL_ASSIGN(spec.targets, ParseFilter(*filter));
  } else {
    PAWL_ASSIGN(spec.targets, members.Texts("devices", kMaxNamedTargets, IsLabel, "a device's id"));
  }
  return members.End();
}

Result<data::CampaignSpec> ParseSpec(const Call& call) {
  Members members(call.body);
  data::CampaignSpec spec;
  PAWL_ASSIGN(spec.name, members.Text("name", IsName, "1 to 100 characters"));
  PAWL_ASSIGN(spec.release, members.Text("release", IsId, "a release's id"));
  PAWL_ASSIGN(const json::object* targets, members.Object("targets"));
  if (targets == nullptr) return Fail(Reason::kInvalidArgument, "targets is missing");
  PAWL_TRY(ParseTargets(*targets, spec));
  PAWL_TRY(members.End());
  return spec;
}

Result<Response> Create(Call& call) {
  PAWL_ASSIGN(const data::CampaignSpec spec, ParseSpec(call));
  const auto made = call.api.database.Write([&](sql::Tx& tx) -> Result<json::object> {
    PAWL_ASSIGN(const data::Campaign campaign, data::CreateCampaign(tx, call.actor, spec));
    return CampaignShape(tx, campaign);
  });
  if (made) return JsonResponse(*made, 201);
  const auto* named = std::get_if<std::vector<std::string>>(&spec.targets);
  return ErrorResponse(made.error(), {}, named != nullptr ? *named : std::vector<std::string>());
}

Result<Response> List(Call& call) {
  PAWL_ASSIGN(const auto page, PageOf(call.request));
  PAWL_ASSIGN(const json::object object, call.api.database.Read([&](sql::Tx& tx) -> Result<json::object> {
    PAWL_ASSIGN(const auto campaigns, data::ListCampaigns(tx, page));
    json::array items;
    for (const data::Campaign& campaign : campaigns.items) {
      PAWL_ASSIGN(json::object shape, CampaignShape(tx, campaign));
      items.push_back(std::move(shape));
    }
    return PageShape(std::move(items), campaigns.next);
  }));
  return JsonResponse(object);
}

std::string CampaignOf(const Call& call) { return std::string(call.request.parameter("campaign")); }

Result<Response> Get(Call& call) {
  PAWL_ASSIGN(const json::object object, call.api.database.Read([&](sql::Tx& tx) -> Result<json::object> {
    PAWL_ASSIGN(const data::Campaign campaign, data::GetCampaign(tx, CampaignOf(call)));
    return CampaignShape(tx, campaign);
  }));
  return JsonResponse(object);
}

using CampaignChange = Result<data::Campaign> (*)(sql::Tx&, const data::Actor&, std::string_view, std::string_view);

// The data layer takes the same state again as no error; the API says that there was nothing to change.
Status CheckIsNot(sql::Tx& tx, const std::string& id, data::CampaignState state) {
  PAWL_ASSIGN(const data::Campaign campaign, data::GetCampaign(tx, id));
  if (campaign.state != state) return {};
  return Fail(Reason::kConflict, "campaign " + campaign.name + " is " + std::string(Text(state)) + " already");
}

Result<Response> Change(Call& call, CampaignChange change, data::CampaignState to) {
  PAWL_ASSIGN(const std::string reason, ParseReason(call.body));
  PAWL_ASSIGN(const json::object object, call.api.database.Write([&](sql::Tx& tx) -> Result<json::object> {
    PAWL_TRY(CheckIsNot(tx, CampaignOf(call), to));
    PAWL_ASSIGN(const data::Campaign campaign, change(tx, call.actor, CampaignOf(call), reason));
    return CampaignShape(tx, campaign);
  }));
  return JsonResponse(object);
}

bool IsRetryState(std::string_view text) {
  return text == "refused" || text == "rolled_back" || text == "lost" || text == "timed_out" || text == "cancelled";
}

Result<data::RetrySpec> ParseRetry(const Call& call) {
  Members members(call.body);
  data::RetrySpec spec;
  if (members.Has("states")) {
    PAWL_ASSIGN(const auto states,
                members.Texts("states", 5, IsRetryState, "refused, rolled_back, lost, timed_out or cancelled"));
    spec = {{}, false};
    for (const std::string& state : states) {
      if (const auto status = platform::ParseJobStatus(state)) spec.statuses.push_back(*status);
      spec.timed_out |= state == "timed_out";
    }
  }
  PAWL_TRY(members.End());
  return spec;
}

Result<Response> Retry(Call& call) {
  PAWL_ASSIGN(const data::RetrySpec spec, ParseRetry(call));
  PAWL_ASSIGN(const json::object object, call.api.database.Write([&](sql::Tx& tx) -> Result<json::object> {
    PAWL_ASSIGN(const auto jobs, data::RetryCampaign(tx, call.actor, CampaignOf(call), spec));
    if (jobs.empty()) return Fail(Reason::kConflict, "no job of this campaign is in one of these states");
    PAWL_ASSIGN(const data::Campaign campaign, data::GetCampaign(tx, CampaignOf(call)));
    PAWL_ASSIGN(json::object shape, CampaignShape(tx, campaign));
    return json::object{{"created", jobs.size()}, {"campaign", std::move(shape)}};
  }));
  return JsonResponse(object, 201);
}

// --- Jobs ---

Result<Response> ListFiltered(Call& call, const data::JobFilter& filter) {
  PAWL_ASSIGN(const auto page, PageOf(call.request));
  PAWL_ASSIGN(const auto jobs, call.api.database.Read([&](sql::Tx& tx) { return data::ListJobs(tx, filter, page); }));
  return JsonResponse(Shape(jobs));
}

Result<Response> CampaignJobs(Call& call) {
  data::JobFilter filter;
  filter.campaign = CampaignOf(call);
  PAWL_TRY(call.api.database.Read([&](sql::Tx& tx) { return data::GetCampaign(tx, filter.campaign); }));
  return ListFiltered(call, filter);
}

Result<Response> Jobs(Call& call) {
  data::JobFilter filter;
  PAWL_ASSIGN(filter.campaign, QueryText(call.request, "campaign", IsId));
  PAWL_ASSIGN(filter.device, QueryText(call.request, "device", IsLabel));
  if (const auto state = call.request.query_value("state")) {
    filter.timed_out_only = *state == "timed_out";
    if (!filter.timed_out_only) filter.status = platform::ParseJobStatus(*state);
    if (!filter.timed_out_only && !filter.status) {
      return Fail(Reason::kInvalidArgument,
                  "state is \"" + std::string(state->substr(0, 40)) + "\": no state of a job");
    }
  }
  return ListFiltered(call, filter);
}

std::string JobOf(const Call& call) { return std::string(call.request.parameter("job")); }

Result<Response> GetJob(Call& call) {
  PAWL_ASSIGN(const data::Job job, call.api.database.Read([&](sql::Tx& tx) { return data::GetJob(tx, JobOf(call)); }));
  return JsonResponse(Shape(job));
}

Result<Response> RetryJob(Call& call) {
  PAWL_ASSIGN(const data::Job job,
              call.api.database.Write([&](sql::Tx& tx) { return data::RetryJob(tx, call.actor, JobOf(call)); }));
  return JsonResponse(Shape(job), 201);
}

using JobChange = Result<data::Job> (*)(sql::Tx&, const data::Actor&, std::string_view, std::string_view);

Result<Response> ChangeJob(Call& call, JobChange change) {
  PAWL_ASSIGN(const std::string reason, ParseReason(call.body));
  PAWL_ASSIGN(const data::Job job,
              call.api.database.Write([&](sql::Tx& tx) { return change(tx, call.actor, JobOf(call), reason); }));
  return JsonResponse(Shape(job));
}

}  // namespace

void AddCampaignOperations(Router& router, Api& api) {
  using data::Scope;
  const std::vector<std::string> page = {"limit", "after"};
  const auto add_change = [&](std::string_view verb, CampaignChange change, data::CampaignState to) {
    AddOperation(router, api,
                 {"POST",
                  "/campaigns/{campaign}/" + std::string(verb),
                  Scope::kCampaigns,
                  {},
                  Takes::kJson,
                  [change, to](Call& call) { return Change(call, change, to); }});
  };
  const auto add_job_change = [&](std::string_view verb, JobChange change) {
    AddOperation(
        router, api,
        {"POST", "/jobs/{job}/" + std::string(verb), Scope::kCampaigns, {}, Takes::kJson, [change](Call& call) {
           return ChangeJob(call, change);
         }});
  };
  AddOperation(router, api, {"POST", "/campaigns", Scope::kCampaigns, {}, Takes::kJson, Create});
  AddOperation(router, api, {"GET", "/campaigns", Scope::kRead, page, Takes::kNothing, List});
  AddOperation(router, api, {"GET", "/campaigns/{campaign}", Scope::kRead, {}, Takes::kNothing, Get});
  AddOperation(router, api, {"GET", "/campaigns/{campaign}/jobs", Scope::kRead, page, Takes::kNothing, CampaignJobs});
  add_change("cancel", data::CancelCampaign, data::CampaignState::kCancelled);
  add_change("pause", data::PauseCampaign, data::CampaignState::kPaused);
  add_change("resume", data::ResumeCampaign, data::CampaignState::kRunning);
  AddOperation(router, api, {"POST", "/campaigns/{campaign}/retry", Scope::kCampaigns, {}, Takes::kJson, Retry});
  AddOperation(
      router, api,
      {"GET", "/jobs", Scope::kRead, {"campaign", "device", "state", "limit", "after"}, Takes::kNothing, Jobs});
  AddOperation(router, api, {"GET", "/jobs/{job}", Scope::kRead, {}, Takes::kNothing, GetJob});
  AddOperation(router, api, {"POST", "/jobs/{job}/retry", Scope::kCampaigns, {}, Takes::kNothing, RetryJob});
  add_job_change("cancel", data::CancelJob);
  add_job_change("lost", data::LoseJob);
}

}  // namespace pawl::http
