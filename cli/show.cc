#include "cli/show.h"

#include <boost/json/object.hpp>
#include <ctime>

#include "cli/text.h"

namespace pawl::cli {

namespace json = boost::json;

Done PrintAll(std::string_view text) {
  if (Print(text)) return {};
  return Fail(Exit::kFailed, "standard output cannot be written", "check the pipe or disk that it goes to");
}

Done Emit(const Session& session, const Answer& answer, const std::function<std::string()>& text) {
  if (!session.terminal.json) return PrintAll(text());
  std::string safe = SanitiseJson(answer.text);
  if (!safe.ends_with('\n')) safe += '\n';
  return PrintAll(safe);
}

Done EmitList(const Session& session, const Answer& answer, std::vector<Table::Column> columns,
              const std::function<std::vector<Cell>(const json::value&)>& row, std::string_view nothing) {
  Table table(std::move(columns));
  if (!session.terminal.json) {
    for (const json::value& item : Items(At(answer.value, "items"))) table.Add(row(item));
  }
  if (!session.terminal.json && table.empty()) {
    session.terminal.Note(nothing);
    return {};
  }
  CLI_TRY(Emit(session, answer, [&] { return table.Text(session.terminal); }));
  if (!Raw(answer.value, "next").empty()) session.terminal.Note("there are more: raise --limit");
  return {};
}

std::string When(const Terminal& terminal, const json::value& time) {
  const json::string* text = time.if_string();
  if (text == nullptr) return "-";
  const auto at = ParseTime(*text);
  return terminal.out_is_tty && at ? Age(*at, std::time(nullptr)) : Sanitise(*text);
}

Colour ColourOfState(std::string_view state) {
  struct Row {
    std::string_view state;
    Colour colour;
  };
  static constexpr Row kRows[] = {
      {"active", Colour::kGood},   {"published", Colour::kGood},     {"succeeded", Colour::kGood},
      {"complete", Colour::kGood}, {"suspended", Colour::kBad},      {"quarantined", Colour::kBad},
      {"refused", Colour::kBad},   {"rolled_back", Colour::kBad},    {"lost", Colour::kBad},
      {"alert", Colour::kBad},     {"decommissioned", Colour::kDim}, {"cancelled", Colour::kDim},
      {"queued", Colour::kDim},    {"info", Colour::kPlain},
  };
  for (const Row& row : kRows) {
    if (row.state == state) return row.colour;
  }
  return Colour::kBusy;
}

Cell StateCell(const json::value& object, std::string_view name) {
  const std::string state = Show(object, name);
  return {state, ColourOfState(state)};
}

std::string ReasonText(const json::value& reason) {
  if (!reason.is_object()) return {};
  const std::string detail = Sanitise(Raw(reason, "detail"));
  return detail.empty() ? Show(reason, "text") : Show(reason, "text") + " (" + detail + ")";
}

std::string JobText(const json::value& job) {
  std::string text;
  const auto add = [&text](const std::string& more) {
    if (!more.empty()) text += (text.empty() ? "" : "; ") + more;
  };
  const json::value& progress = At(job, "progress");
  const std::uint64_t total = Number(progress, "total");
  if (Raw(job, "state") == "downloading" && total > 0) {
    add(std::to_string(Number(progress, "bytes") * 100 / total) + " % of " + Bytes(total));
  }
  if (IsTrue(job, "timed_out")) add("timed out");
  add(ReasonText(At(job, "reason")));
  if (At(job, "waiting").is_string()) add("waits: " + Show(job, "waiting"));
  return text;
}

std::string JobFacts(const Terminal& terminal, const json::value& job) {
  Facts facts;
  facts.Add("job", Show(job, "id") + " (number " + Show(job, "n") + " on its device)");
  facts.Add("device", Show(job, "device"));
  facts.Add("campaign", Show(job, "campaign"));
  facts.Add("release", Show(job, "release") + " (" + Show(job, "version") + ")");
  facts.Add("state", Show(job, "state"), ColourOfState(Raw(job, "state")));
  if (const std::string more = JobText(job); !more.empty()) facts.Add("", more);
  facts.Add("permit", Show(job, "permit"));
  facts.Add("updated", When(terminal, At(job, "updated")));
  for (const json::value& step : Items(At(job, "steps"))) {
    facts.Add("  " + Show(step, "state"), When(terminal, At(step, "at")), Colour::kDim);
  }
  return facts.Text(terminal);
}

Done EmitJobs(const Session& session, const Answer& answer) {
  const auto row = [&](const json::value& job) -> std::vector<Cell> {
    return {{Show(job, "id")},
            {Show(job, "device")},
            {Show(job, "version")},
            StateCell(job),
            {When(session.terminal, At(job, "updated")), Colour::kDim},
            {JobText(job)}};
  };
  return EmitList(session, answer, {{"JOB"}, {"DEVICE"}, {"VERSION"}, {"STATE"}, {"UPDATED"}, {"WHY"}}, row, "no jobs");
}

std::string EventLine(const Terminal& terminal, const json::value& event) {
  const std::string severity = Show(event, "severity");
  const std::string kind = Pad(Show(event, "kind"), 20);
  return terminal.Paint(Pad(When(terminal, At(event, "at")), 12), Colour::kDim) + "  " +
         terminal.Paint(kind, ColourOfState(severity)) + "  " + Show(event, "text") + "\n";
}

std::string AttributesText(const json::value& attributes) {
  std::string text;
  if (const json::object* object = attributes.if_object()) {
    for (const auto& [name, value] : *object) text += (text.empty() ? "" : " ") + Sanitise(name) + "=" + Show(value);
  }
  return text.empty() ? "-" : text;
}

std::string Join(const json::value& array) {
  std::string text;
  for (const json::value& item : Items(array)) text += (text.empty() ? "" : ", ") + Show(item);
  return text.empty() ? "-" : text;
}

Outcome<std::pair<std::string, std::string>> SplitPair(const std::string& text, std::string_view what) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return Fail(Exit::kUsage, std::string(what) + " \"" + text + "\" is not NAME=VALUE", "for example: site=berlin");
  }
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

}  // namespace pawl::cli
