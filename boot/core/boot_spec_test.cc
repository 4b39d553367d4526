// Holds docs/spec/boot.md against the code. Runs in the root of the source tree.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include "boot/core/decide.h"

namespace pawl {
namespace {

using Cells = std::vector<std::string>;

std::string Trim(const std::string& text) {
  const auto from = text.find_first_not_of(' ');
  return from == std::string::npos ? "" : text.substr(from, text.find_last_not_of(' ') - from + 1);
}

// The rows of the first table behind "## heading", without its head.
std::vector<Cells> TableOf(const std::string& heading) {
  std::ifstream page("docs/spec/boot.md");
  EXPECT_TRUE(page.is_open()) << "run in the root of the source tree";
  std::string line;
  while (std::getline(page, line) && line != "## " + heading) {
  }
  std::vector<Cells> rows;
  while (std::getline(page, line) && !line.starts_with("## ")) {
    if (line.empty() && !rows.empty()) break;
    if (!line.starts_with("| ")) continue;
    Cells cells;
    for (std::size_t at = 1; at < line.size();) {
      const std::size_t end = line.find('|', at);
      cells.push_back(Trim(line.substr(at, end - at)));
      at = end + 1;
    }
    rows.push_back(cells);
  }
  if (!rows.empty()) rows.erase(rows.begin());
  return rows;
}

TEST(BootSpec, TheDecisionTableOfThePageIsTheOneOfTheCode) {
  const std::vector<Cells> in_code = {
#define PAWL_BOOT_ROW(name, input, change, then) {#name, input, change, then},
#include "boot/core/boot_rows.def"
#undef PAWL_BOOT_ROW
  };
  EXPECT_EQ(TableOf("Decision"), in_code);
}

TEST(BootSpec, TheCellOfThePageIsTheOneOfTheCode) {
  BootRecord base;
  base.detail = "x";
  const std::map<std::string, std::function<void(BootRecord&)>> fields = {
      {"sequence", [](BootRecord& r) { r.sequence = ~0U; }},
      {"confirmed", [](BootRecord& r) { r.confirmed = Slot::kB; }},
      {"proven", [](BootRecord& r) { r.proven = true; }},
      {"pending", [](BootRecord& r) { r.pending = Slot::kA; }},
      {"started", [](BootRecord& r) { r.started = true; }},
      {"attempts", [](BootRecord& r) { r.attempts_left = 0xFF; }},
      {"power attempts", [](BootRecord& r) { r.power_attempts_left = 0xFF; }},
      {"reason", [](BootRecord& r) { r.reason = static_cast<Reason>(0xFFFF); }},
      {"trial", [](BootRecord& r) { r.trial = ~0U; }},
      {"job", [](BootRecord& r) { r.job = ~std::uint64_t{0}; }},
      {"owed", [](BootRecord& r) { r.owed = true; }},
      {"emergency reason", [](BootRecord& r) { r.emergency_reason = static_cast<Reason>(0xFFFF); }},
      {"emergency count", [](BootRecord& r) { r.emergency_count = 0xFFFF; }},
      {"floor", [](BootRecord& r) { r.floor = ~0U; }},
      {"trial digest", [](BootRecord& r) { r.trial_digest.fill(0xFF); }},
      {"detail", [](BootRecord& r) { r.detail = "abcdefghijklmnopqrstuvwxyzABCD"; }},
  };
  std::size_t end = 0;
  std::size_t seen = 0;
  for (const Cells& row : TableOf("Cell")) {
    ASSERT_EQ(row.size(), 4U);
    const std::size_t offset = std::stoul(row[0]);
    const std::size_t bytes = std::stoul(row[1]);
    EXPECT_EQ(offset, end) << row[2];
    end = offset + bytes;
    const auto field = fields.find(row[2]);
    if (field == fields.end()) {
      EXPECT_TRUE(row[2] == "magic" || row[2] == "reserved" || row[2] == "crc") << row[2];
      continue;
    }
    ++seen;
    BootRecord changed = base;
    field->second(changed);
    const RecordCell before = EncodeRecord(base);
    const RecordCell after = EncodeRecord(changed);
    for (std::size_t i = 0; i < 124; ++i) {
      EXPECT_EQ(before[i] != after[i], i >= offset && i < end) << row[2] << ", byte " << i;
    }
  }
  EXPECT_EQ(end, kRecordCellBytes);
  EXPECT_EQ(seen, fields.size());
}

// The rules themselves are held by record_store_test and the power-cut tests; this holds that none is forgotten.
TEST(BootSpec, EveryStorageRuleOfThePageIsNamedWhereItIsCarriedOut) {
  std::string code;
  for (const char* path : {"slots/record_store.cc", "boot/core/boot.cc"}) {
    std::ifstream file(path);
    code.append(std::istreambuf_iterator<char>(file), {});
  }
  std::size_t seen = 0;
  for (const Cells& row : TableOf("Storage")) {
    ++seen;
    EXPECT_TRUE(std::regex_search(code, std::regex("// .*\\b" + row[0] + "\\b"))) << row[0];
  }
  EXPECT_GE(seen, 7U);
}

TEST(BootSpec, EveryTransitionOfThePageRefusesByItsName) {
  BootRecord trial;  // a failed trial of B, with a debt: nothing is allowed
  trial.pending = Slot::kB;
  trial.owed = true;
  trial.reason = Reason::kWatchdog;
  const std::map<std::string, Result<BootRecord>> refused = {
      {"F1", SetPending(trial, Slot::kA, {.slot = Slot::kB, .job = 1, .manifest_digest = {}})},
      {"F2", Confirm(trial, Slot::kB)},
      {"F3", FailTrial(trial, Slot::kB, Reason::kCrash, "")},
      {"F4", SettleRollback(trial, 7, 7)},
      {"F5", SettleEmergency(trial, 0)},
      {"F6", RaiseFloor(trial, Slot::kA, 1, 1)},
  };
  std::size_t seen = 0;
  for (const Cells& row : TableOf("Transitions by the firmware")) {
    if (row[0] == "-") continue;
    ++seen;
    ASSERT_TRUE(refused.contains(row[0])) << row[0];
    ASSERT_FALSE(refused.at(row[0]).has_value()) << row[0];
    EXPECT_TRUE(refused.at(row[0]).error().detail.view().starts_with(row[0] + ":")) << row[0];
  }
  EXPECT_EQ(seen, refused.size());
}

}  // namespace
}  // namespace pawl
