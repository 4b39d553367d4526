// campaign and job, but for watching.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "cli/campaign.h"
#include "cli/show.h"

namespace pawl::cli {

namespace json = boost::json;

namespace {

// class=NAME,attribute.KEY=VALUE,id=GLOB,via=GATEWAY
Outcome<json::object> ParseFilter(const std::string& text) {
  json::object filter;
  json::object attributes;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    CLI_ASSIGN(const auto pair, SplitPair(text.substr(begin, end - begin), "the filter's part"));
    const auto& [name, value] = pair;
    const bool fresh = name.starts_with("attribute.") ? attributes.emplace(name.substr(10), value).second
                       : name == "class"              ? filter.emplace("class", value).second
                       : name == "id"                 ? filter.emplace("id_glob", value).second
                       : name == "via"                ? filter.emplace("via", value).second
                                                      : false;
    if (!fresh) {
      return Fail(Exit::kUsage, "the filter's part \"" + name + "\" is unknown or given twice",
                  "allowed are class=NAME, attribute.KEY=VALUE, id=GLOB and via=GATEWAY");
    }
    begin = end + 1;
  }
  if (!attributes.empty()) filter["attributes"] = std::move(attributes);
  return filter;
}

Outcome<json::object> Targets(const NewCampaignOptions& options) {
  const int given = (options.devices.empty() ? 0 : 1) + (options.all ? 1 : 0) + (options.filter.empty() ? 0 : 1);
  if (given != 1)
    return Fail(Exit::kUsage, "a campaign needs exactly one of --device, --filter and --all",
                "pawl campaign create --help");
  if (!options.devices.empty())
    return json::object{{"devices", json::array(options.devices.begin(), options.devices.end())}};
  if (options.all) return json::object{{"filter", json::object{}}};
  CLI_ASSIGN(json::object filter, ParseFilter(options.filter));
  return json::object{{"filter", std::move(filter)}};
}

std::string TargetsText(const json::value& targets) {
  if (At(targets, "devices").is_array()) return Join(At(targets, "devices"));
  const json::value& filter = At(targets, "filter");
  std::string text =
      At(filter, "class").is_string() ? "devices of class " + Show(filter, "class") : "devices of the class";
  if (At(filter, "attributes").is_object()) text += ", " + AttributesText(At(filter, "attributes"));
  if (At(filter, "id_glob").is_string()) text += ", id " + Show(filter, "id_glob");
  if (At(filter, "via").is_string()) text += ", via " + Show(filter, "via");
  return text;
}

std::string CampaignFacts(const Terminal& terminal, const json::value& campaign) {
  Facts facts;
  facts.Add("campaign", Show(campaign, "id"));
  facts.Add("name", Show(campaign, "name"));
  facts.Add("release",
            Show(campaign, "release") + " (" + Show(campaign, "version") + " for " + Show(campaign, "class") + ")");
  facts.Add("state", Show(campaign, "state"), ColourOfState(Raw(campaign, "state")));
  if (At(campaign, "reason").is_string()) facts.Add("reason", Show(campaign, "reason"));
  facts.Add("targets", TargetsText(At(campaign, "targets")));
  facts.Add("created", When(terminal, At(campaign, "created")) + " by " + Show(campaign, "created_by"));
  return facts.Text(terminal);
}

Done EmitChange(Session& session, const Answer& answer) {
  return Emit(session, answer, [&] {
    return Show(answer.value, "name") + " (" + Show(answer.value, "id") + ") is " + Show(answer.value, "state") + "\n";
  });
}

}  // namespace

Done CreateCampaign(Session& session, const NewCampaignOptions& options) {
  CLI_ASSIGN(json::object targets, Targets(options));
  const json::object body{{"name", options.name}, {"release", options.release}, {"targets", std::move(targets)}};
  CLI_ASSIGN(const Answer answer, session.api.Post(Path("campaigns"), body));
  if (options.watch) {
    session.terminal.Note("campaign " + Show(answer.value, "id"));
    return WatchCampaign(session, Raw(answer.value, "id"));
  }
  return Emit(session, answer, [&] { return CampaignFacts(session.terminal, answer.value); });
}

Done ListCampaigns(Session& session, std::size_t limit) {
  CLI_ASSIGN(const Answer answer, session.api.List(Query(Path("campaigns")), limit));
  const auto row = [&](const json::value& campaign) -> std::vector<Cell> {
    const CampaignCounts counts(campaign);
    return {{Show(campaign, "id")},
            {Show(campaign, "version")},
            StateCell(campaign),
            {std::to_string(counts.total)},
            {std::to_string(counts.succeeded), counts.succeeded > 0 ? Colour::kGood : Colour::kPlain},
            {std::to_string(counts.failed()), counts.failed() > 0 ? Colour::kBad : Colour::kPlain},
            {std::to_string(counts.open), counts.open > 0 ? Colour::kBusy : Colour::kPlain},
            {When(session.terminal, At(campaign, "created"))},
            {Show(campaign, "name")}};
  };
  return EmitList(session, answer,
                  {{"CAMPAIGN"},
                   {"VERSION"},
                   {"STATE"},
                   {"DEVICES", true},
                   {"OK", true},
                   {"FAILED", true},
                   {"OPEN", true},
                   {"CREATED"},
                   {"NAME"}},
                  row, "no campaigns yet; start one: pawl campaign create");
}

Done ShowCampaign(Session& session, const std::string& id) {
  CLI_ASSIGN(const Answer answer, session.api.Get(Path("campaigns", id)));
  CLI_TRY(Emit(session, answer, [&] {
    return CampaignFacts(session.terminal, answer.value) + "\n" + CountsText(session.terminal, answer.value);
  }));
  if (session.terminal.json) return {};
  CLI_ASSIGN(const Answer jobs, session.api.List(Query(Path("campaigns", id, "jobs")), 0));
  CLI_TRY(PrintAll("\n"));
  return EmitJobs(session, jobs);
}

Done CampaignStatus(Session& session, const std::string& id) {
  CLI_ASSIGN(const Answer answer, session.api.Get(Path("campaigns", id)));
  return Emit(session, answer,
              [&] { return HeadText(session.terminal, answer.value) + CountsText(session.terminal, answer.value); });
}

Done ChangeCampaign(Session& session, const std::string& id, const std::string& verb, const std::string& reason) {
  CLI_ASSIGN(const Answer answer, session.api.Post(Path("campaigns", id, verb), json::object{{"reason", reason}}));
  return EmitChange(session, answer);
}

Done RetryCampaign(Session& session, const std::string& id, const std::vector<std::string>& states) {
  json::object body;
  if (!states.empty()) body["states"] = json::array(states.begin(), states.end());
  CLI_ASSIGN(const Answer answer, session.api.Post(Path("campaigns", id, "retry"), body));
  return Emit(session, answer, [&] { return Show(answer.value, "created") + " new jobs\n"; });
}

Done ListJobs(Session& session, const JobFilter& filter) {
  // One device's or one campaign's jobs have paths of their own, which know that there is no such thing (404).
  const bool both = !filter.device.empty() && !filter.campaign.empty();
  Query query(Path("jobs"));
  if (!filter.state.empty() || both) {
    query.Add("campaign", filter.campaign).Add("device", filter.device).Add("state", filter.state);
  } else if (!filter.device.empty()) {
    query = Query(Path("devices", filter.device, "jobs"));
  } else if (!filter.campaign.empty()) {
    query = Query(Path("campaigns", filter.campaign, "jobs"));
  }
  CLI_ASSIGN(const Answer answer, session.api.List(query, filter.limit));
  return EmitJobs(session, answer);
}

Done ShowJob(Session& session, const std::string& id) {
  CLI_ASSIGN(const Answer answer, session.api.Get(Path("jobs", id)));
  return Emit(session, answer, [&] { return JobFacts(session.terminal, answer.value); });
}

Done ChangeJob(Session& session, const std::string& id, const std::string& verb, const std::string& reason) {
  CLI_ASSIGN(const Answer answer, session.api.Post(Path("jobs", id, verb), json::object{{"reason", reason}}));
  return Emit(session, answer, [&] { return JobFacts(session.terminal, answer.value); });
}

Done RetryJob(Session& session, const std::string& id) {
  CLI_ASSIGN(const Answer answer, session.api.Post(Path("jobs", id, "retry")));
  return Emit(session, answer, [&] { return JobFacts(session.terminal, answer.value); });
}

}  // namespace pawl::cli
