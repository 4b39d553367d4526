// device, why.
#include <boost/json/object.hpp>

#include "cli/secret_output.h"
#include "cli/show.h"

namespace pawl::cli {

namespace json = boost::json;

namespace {

std::string Running(const json::value& device, std::string_view member) {
  const auto components = Items(At(device, "running"));
  return components.empty() ? "-" : Show(components.front(), member);
}

std::string JobInShort(const json::value& device) {
  const json::value& job = At(device, "job");
  return job.is_object() ? Show(job, "version") + " " + Show(job, "state") : "-";
}

std::string DeviceFacts(const Terminal& terminal, const json::value& device) {
  Facts facts;
  facts.Add("device", Show(device, "id"));
  facts.Add("class", Show(device, "class") + ", board revision " + Show(device, "board_revision"));
  facts.Add("state", Show(device, "state"), ColourOfState(Raw(device, "state")));
  facts.Add("connected", Show(device, "connected") + ", last seen " + When(terminal, At(device, "last_seen")));
  const json::value& health = At(device, "health");
  facts.Add("health", Show(health, "text"), IsTrue(health, "ok") ? Colour::kGood : Colour::kBad);
  for (const json::value& part : Items(At(device, "running"))) {
    facts.Add("runs", Show(part, "component") + " " + Show(part, "version") + " in slot " + Show(part, "slot") + ", " +
                          Show(part, "mode") + ", sequence " + Show(part, "sequence"));
    facts.Add("", "image " + Show(part, "image_digest"), Colour::kDim);
    facts.Add("", "manifest " + Show(part, "manifest_digest"), Colour::kDim);
  }
  if (const json::value& owed = At(device, "owed"); owed.is_object()) {
    facts.Add("owes", "the report of a rollback: " + ReasonText(At(owed, "reason")), Colour::kBad);
  }
  if (const json::value& emergency = At(device, "emergency"); emergency.is_object()) {
    facts.Add("emergency", ReasonText(At(emergency, "reason")) + ", count " + Show(emergency, "count"), Colour::kBad);
  }
  facts.Add("floor", Show(device, "floor"));
  facts.Add("attributes", AttributesText(At(device, "attributes")));
  facts.Add("agent", Show(device, "agent"));
  if (At(device, "via").is_string()) facts.Add("via", "the gateway " + Show(device, "via"));
  const json::value& expires = At(device, "certificate_expires");
  facts.Add("certificate", expires.is_null() ? "none yet" : "expires " + When(terminal, expires));
  facts.Add("pins", Join(At(device, "pins")), Colour::kDim);
  return facts.Text(terminal);
}

}  // namespace

Done ClaimDevice(Session& session, const ClaimOptions& options) {
  json::object attributes;
  for (const std::string& text : options.attributes) {
    CLI_ASSIGN(const auto pair, SplitPair(text, "the attribute"));
    attributes[pair.first] = pair.second;
  }
  CLI_ASSIGN(SecretOutput out, SecretOutput::Open(options.out, options.id + ".claim", options.again));
  json::object body{{"id", options.id}, {"class", options.device_class}, {"attributes", std::move(attributes)}};
  if (options.board_revision) body["board_revision"] = *options.board_revision;
  CLI_ASSIGN(Answer answer, options.again ? session.api.Post(Path("devices", options.id, "claim"))
                                          : session.api.Post(Path("devices"), body));
  Facts facts;
  facts.Add("device",
            Show(At(answer.value, "device"), "id") + " of class " + Show(At(answer.value, "device"), "class"));
  facts.Add("claim", "good until " + When(session.terminal, At(At(answer.value, "claim"), "expires")));
  return out.Deliver(session, std::move(answer), "claim", facts.Text(session.terminal));
}

Done ListDevices(Session& session, const DeviceFilter& filter) {
  Query query(Path("devices"));
  query.Add("state", filter.state).Add("class", filter.device_class).Add("id", filter.id_glob).Add("via", filter.via);
  for (const std::string& text : filter.attributes) {
    CLI_ASSIGN(const auto pair, SplitPair(text, "the attribute"));
    query.Add("attribute", pair.first + ":" + pair.second);
  }
  CLI_ASSIGN(const Answer answer, session.api.List(query, filter.limit));
  const auto row = [&](const json::value& device) -> std::vector<Cell> {
    const json::value& health = At(device, "health");
    return {{Show(device, "id")},
            {Show(device, "class")},
            StateCell(device),
            {Show(device, "connected")},
            {Show(device, "via")},
            {Running(device, "version")},
            {JobInShort(device)},
            {When(session.terminal, At(device, "last_seen"))},
            {Show(health, "text"), IsTrue(health, "ok") ? Colour::kPlain : Colour::kBad}};
  };
  return EmitList(session, answer,
                  {{"DEVICE"}, {"CLASS"}, {"STATE"}, {"ONLINE"}, {"VIA"}, {"RUNS"}, {"JOB"}, {"SEEN"}, {"HEALTH"}}, row,
                  "no devices");
}

Done ShowDevice(Session& session, const std::string& id) {
  CLI_ASSIGN(const Answer answer, session.api.Get(Path("devices", id)));
  return Emit(session, answer, [&] {
    const json::value& job = At(answer.value, "job");
    return DeviceFacts(session.terminal, answer.value) +
           (job.is_object() ? "\n" + JobFacts(session.terminal, job) : "");
  });
}

Done ChangeDevice(Session& session, const std::string& id, const std::string& verb, const std::string& reason) {
  CLI_ASSIGN(const Answer answer, session.api.Post(Path("devices", id, verb), json::object{{"reason", reason}}));
  return Emit(session, answer, [&] { return Show(answer.value, "id") + " is " + Show(answer.value, "state") + "\n"; });
}

Done Why(Session& session, const std::string& id) {
  CLI_ASSIGN(const Answer answer, session.api.Get(Path("devices", id, "why")));
  return Emit(session, answer, [&] {
    std::string text = session.terminal.Paint(Show(answer.value, "verdict"), Colour::kStrong) + "\n";
    for (const json::value& step : Items(At(answer.value, "steps"))) {
      const bool reached = At(step, "ok").is_bool();
      const bool ok = IsTrue(step, "ok");
      const std::string mark = !reached ? "·" : ok ? "✓" : "✗";
      text += "  " +
              session.terminal.Paint(mark, !reached ? Colour::kDim
                                           : ok     ? Colour::kGood
                                                    : Colour::kBad) +
              " " + Show(step, "text") + "\n";
    }
    if (At(answer.value, "remedy").is_string()) text += "try: " + Show(answer.value, "remedy") + "\n";
    return text;
  });
}

}  // namespace pawl::cli
