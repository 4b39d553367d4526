// Holds the tables of docs/spec/serial.md against the code: a payload that is cut off at a field's offset is refused by
// the name of that field.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "wire/serial/test_messages.h"

namespace pawl::serial {
namespace {

using test::Bytes;

struct Row {
  std::string message;
  std::size_t offset;
  std::string field;
};

std::string Trim(const std::string& text) {
  const auto first = text.find_first_not_of(" `");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" `") - first + 1);
}

// The rows of the table under this heading, cell by cell, without the header.
std::vector<std::vector<std::string>> Table(const std::string& heading) {
  std::ifstream page("docs/spec/serial.md");
  std::vector<std::vector<std::string>> rows;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("## ")) inside = line == "## " + heading;
    if (!inside || !line.starts_with("| ") || line.find("---") != std::string::npos) continue;
    std::vector<std::string> cells;
    std::stringstream parts(line.substr(1));
    for (std::string cell; std::getline(parts, cell, '|');) cells.push_back(Trim(cell));
    rows.push_back(cells);
  }
  if (!rows.empty()) rows.erase(rows.begin());
  return rows;
}

std::map<std::string, Bytes> Examples() {
  std::map<std::string, Bytes> examples;
  for (const Request& request : test::AllRequests()) {
    const Payload payload = Encode(NumberedRequest{1, request});
    examples[std::string(Name(request))] = {payload.begin(), payload.end()};
  }
  for (const Bytes& payload : test::AllFromChild()) {
    const auto message = DecodeFromChild(payload);
    const auto* answer = std::get_if<NumberedAnswer>(&*message);
    examples[std::string(answer != nullptr ? Name(answer->answer) : Name(std::get<Telling>(*message)))] = payload;
  }
  return examples;
}

TEST(SerialSpec, ThePageListsEveryMessageWithItsKind) {
  std::map<std::string, std::string> listed;
  for (const auto& row : Table("Messages")) listed[row.at(1)] = row.at(0);
  const auto examples = Examples();
  EXPECT_EQ(listed.size(), examples.size());
  for (const auto& [name, payload] : examples) {
    char kind[5];
    std::snprintf(kind, sizeof kind, "0x%02X", payload[0]);
    EXPECT_EQ(listed[name], kind) << name;
  }
}

TEST(SerialSpec, EveryFieldStandsWhereThePageSays) {
  const auto examples = Examples();
  std::map<std::string, std::size_t> fields;
  for (const auto& row : Table("Fields")) {
    const std::string& message = row.at(0);
    ASSERT_TRUE(examples.contains(message)) << message;
    ++fields[message];
    if (row.at(1) == "then") continue;  // behind a text
    const ByteView cut = ByteView(examples.at(message)).first(std::stoul(row.at(1)));
    const bool request = cut[0] < 0x80;
    const std::string why(request ? DecodeRequest(cut).error().detail.view()
                                  : DecodeFromChild(cut).error().detail.view());
    EXPECT_EQ(why, "serial message " + message + ": " + row.at(3));
  }
  EXPECT_EQ(fields["Facts"], 19U);
  EXPECT_EQ(fields.size(), 15U);  // all but the five that have no field
}

TEST(SerialSpec, ThePageNamesTheLimits) {
  std::map<std::string, std::string> limits;
  for (const auto& row : Table("Limits")) limits[row.at(0)] = row.at(1);
  EXPECT_EQ(limits["data of a Write or Envelope"], std::to_string(kMaxDataBytes));
  EXPECT_EQ(limits["payload"], std::to_string(kMaxPayloadBytes));
  EXPECT_EQ(limits["detail"], std::to_string(kMaxDetailBytes));
  EXPECT_EQ(limits["version text"], std::to_string(kMaxVersionTextBytes));
  EXPECT_EQ(limits["HashStaged"], std::to_string(kMaxHashBytes));
}

}  // namespace
}  // namespace pawl::serial
