// Holds docs/spec/agent.md against the code. Runs in the root of the source tree.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "agent/core/machine.h"

namespace pawl::agent {
namespace {

// The lines of the table behind "## heading", without its two head lines.
std::vector<std::string> TableOf(const std::string& heading) {
  std::ifstream page("docs/spec/agent.md");
  EXPECT_TRUE(page.is_open()) << "run in the root of the source tree";
  std::string line;
  while (std::getline(page, line) && line != "## " + heading) {
  }
  std::vector<std::string> rows;
  while (std::getline(page, line) && !line.starts_with("## ")) {
    if (line.starts_with("|")) rows.push_back(line);
  }
  rows.erase(rows.begin(), rows.begin() + std::min<std::ptrdiff_t>(2, std::ssize(rows)));
  return rows;
}

// "Idle | Fetching" as the page writes it: "idle, fetching".
std::string List(std::string_view text) {
  std::string list;
  for (const char c : text) {
    if (c == '|') {
      list.back() = ',';
    } else {
      list += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
  }
  return list;
}
std::string Events(std::string_view text) {
  std::string list;
  for (const char c : text) {
    if (c == '|') {
      list.back() = ',';
    } else {
      list += c;
    }
  }
  return list;
}

std::string Row(std::initializer_list<std::string> cells) {
  std::string row = "|";
  for (const std::string& cell : cells) row += " " + (cell.empty() ? "–" : cell) + " |";
  return row;
}

TEST(AgentSpec, TheTransitionsOfThePageAreThoseOfTheCode) {
  std::vector<std::string> in_code;
  for (const TransitionRow& row : Transitions()) {
    in_code.push_back(Row({std::string(row.id), List(row.from_text), Events(row.on_text), std::string(row.when),
                           std::string(row.then), row.next == Activity::kCount ? "" : List(row.next_text)}));
  }
  EXPECT_EQ(TableOf("Transitions"), in_code);
  if (HasFailure()) {
    for (const std::string& row : in_code) std::printf("%s\n", row.c_str());
  }
}

TEST(AgentSpec, TheEventsOfThePageAreThoseOfTheCode) {
  std::vector<std::string> in_code;
#define PAWL_EVENT(name, text) in_code.push_back(Row({#name, text}));
#include "agent/core/events.def"
#undef PAWL_EVENT
  EXPECT_EQ(TableOf("Events"), in_code);
  if (HasFailure()) {
    for (const std::string& row : in_code) std::printf("%s\n", row.c_str());
  }
}

}  // namespace
}  // namespace pawl::agent
