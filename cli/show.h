// How the commands show the API's objects to people.
#pragma once

#include <boost/json/value.hpp>
#include <functional>
#include <string>

#include "cli/commands.h"
#include "cli/table.h"

namespace pawl::cli {

// Prints the answer: its JSON with --json, else what `text` makes of it.
Done Emit(const Session& session, const Answer& answer, const std::function<std::string()>& text);
// A list: with --json as it is, else a table, or a line that says that there is nothing.
Done EmitList(const Session& session, const Answer& answer, std::vector<Table::Column> columns,
              const std::function<std::vector<Cell>(const boost::json::value&)>& row, std::string_view nothing);
// Writes to standard output. Failures: kFailed (it cannot be written).
Done PrintAll(std::string_view text);

// A time: relative on a terminal, else as it is.
std::string When(const Terminal& terminal, const boost::json::value& time);
Colour ColourOfState(std::string_view state);
Cell StateCell(const boost::json::value& object, std::string_view name = "state");
// "self-test failed (peripherals)", "" for null.
std::string ReasonText(const boost::json::value& reason);
// What a job is doing, with progress, the mark timed out and what it waits for.
std::string JobText(const boost::json::value& job);
std::string JobFacts(const Terminal& terminal, const boost::json::value& job);
Done EmitJobs(const Session& session, const Answer& answer);
std::string EventLine(const Terminal& terminal, const boost::json::value& event);
// "a=b c=d", "-" for none.
std::string AttributesText(const boost::json::value& attributes);
std::string Join(const boost::json::value& array);

// name=value, split at the first '='. Failures: kUsage.
Outcome<std::pair<std::string, std::string>> SplitPair(const std::string& text, std::string_view what);

}  // namespace pawl::cli
