// Classes, devices, claims, enrolment, admission.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "platform/io/data/json_text.h"
#include "platform/io/data/test_platform.h"

namespace pawl::data {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)
using testing::Platform;

const Digest kKey = Filled<32>(1);
const Digest kOtherKey = Filled<32>(2);

class Registry : public ::testing::Test {
 protected:
  Registry() { platform.MakeClass(); }

  Enrolment Begin(const std::string& token, const Digest& key, const std::string& id = "dev-1") {
    return platform.Do([&](sql::Tx& tx) { return BeginEnrolment(tx, id, token, key); });
  }
  Status Finish(const Digest& key, const std::string& pem = "PEM", const std::string& id = "dev-1") {
    return platform.Write([&](sql::Tx& tx) { return FinishEnrolment(tx, id, key, pem, kStartMs + 1000); });
  }
  Result<Admission> TryAdmit(const Digest& key, const std::string& id = "dev-1") {
    return platform.database().Read([&](sql::Tx& tx) { return Admit(tx, id, key); });
  }
  void Touch(const Digest& key) {
    platform.Do([&](sql::Tx& tx) { return Contact(tx, "dev-1", key); });
  }
  Result<Device> Change(DeviceAction action, const std::string& id = "dev-1") {
    return platform.Write([&](sql::Tx& tx) { return ChangeDeviceState(tx, kOperator, id, action, "because"); });
  }
  std::uint64_t Generation() {
    return platform.Do([](sql::Tx& tx) { return RegistryGeneration(tx); });
  }
  DeviceState StateOf(const std::string& id = "dev-1") { return platform.DeviceOf(id).state; }

  Platform platform;
};

TEST_F(Registry, AClassHasItsUuidsAndItsNameOnce) {
  const Class cls = platform.Do([](sql::Tx& tx) { return GetClass(tx, "virtual-1"); });
  // UUIDv5(DNS, "pawl.example") and UUIDv5(that, "virtual-1"), by python3's uuid module
  EXPECT_EQ(Hex(cls.vendor_id), "a872132d81405669ad6e15d5d0eb8c66");
  EXPECT_EQ(Hex(cls.class_id), "5028ba32f82757bc830685ce162ae00f");
  EXPECT_EQ(cls.keys, std::vector<KeyId>{Filled<8>(2)});
  EXPECT_EQ(cls.anchors.size(), 4U);
  EXPECT_EQ(ReasonOf(platform.Write([&](sql::Tx& tx) { return CreateClass(tx, kOperator, cls, {}, {}); })),
            Reason::kConflict);
  EXPECT_EQ(ReasonOf(platform.Write([](sql::Tx& tx) { return GetClass(tx, "nobody"); })), Reason::kNotFound);
}

TEST_F(Registry, AClassWhoseNumbersMakeNoSenseIsRefused) {
  const ClassSpec good{"x", "pawl.example", 1 << 20, 10, 120, 900, 0, 0};
  EXPECT_TRUE(CheckClass(good));
  const auto with = [&](auto change) {
    ClassSpec spec = good;
    change(spec);
    return ReasonOf(CheckClass(spec));
  };
  EXPECT_EQ(with([](ClassSpec& s) { s.name = "Not A Name"; }), Reason::kInvalidArgument);
  EXPECT_EQ(with([](ClassSpec& s) { s.vendor = "no domain!"; }), Reason::kInvalidArgument);
  EXPECT_EQ(with([](ClassSpec& s) { s.slot_bytes = 100; }), Reason::kInvalidArgument);
  EXPECT_EQ(with([](ClassSpec& s) { s.watchdog_s = 0; }), Reason::kTrialBudget);
  EXPECT_EQ(with([](ClassSpec& s) { s.max_trial_budget_s = 9; }), Reason::kTrialBudget);
  EXPECT_EQ(with([](ClassSpec& s) { s.max_trial_budget_s = 86401; }), Reason::kTrialBudget);
  EXPECT_EQ(with([](ClassSpec& s) { s.min_board_revision = 3, s.max_board_revision = 2; }), Reason::kInvalidArgument);
}

TEST_F(Registry, ATrialBudgetLiesBetweenTheWatchdogWindowAndTheClasssLimit) {
  const ClassSpec cls{"x", "pawl.example", 1 << 20, 10, 120, 900, 0, 0};
  for (const std::uint32_t good : {10U, 11U, 120U}) EXPECT_TRUE(CheckTrialBudget(cls, good)) << good;
  for (const std::uint32_t bad : {0U, 9U, 121U, 0xFFFFFFFFU}) {
    EXPECT_EQ(ReasonOf(CheckTrialBudget(cls, bad)), Reason::kTrialBudget) << bad;
  }
  EXPECT_EQ(DetailOf(CheckTrialBudget(cls, 121)),
            "a trial budget of 121 s: class x allows 10 (its watchdog window) to 120 s");
}

TEST_F(Registry, ADeviceHasABoardOfItsClass) {
  platform.Do([](sql::Tx& tx) {
    return CreateClass(tx, kOperator, {"bounded", "pawl.example", 1 << 20, 10, 120, 900, 2, 4}, {}, {});
  });
  const auto claim = [&](std::uint64_t revision) {
    const std::string id = "board-" + std::to_string(revision);
    return platform.Write([&](sql::Tx& tx) { return CreateDevice(tx, kOperator, {id, "bounded", revision, {}}); });
  };
  for (const std::uint64_t revision : {2U, 3U, 4U}) EXPECT_TRUE(claim(revision)) << revision;
  for (const std::uint64_t revision : {0U, 1U, 5U}) EXPECT_EQ(ReasonOf(claim(revision)), Reason::kInvalidArgument);
  EXPECT_EQ(DetailOf(claim(5)), "board_revision is 5, class bounded has boards from 2 to 4");
}

TEST_F(Registry, EnrolmentGivesOneKeyTheDevicesPlace) {
  const std::string token = platform.MakeClaim("dev-1");
  EXPECT_EQ(token.size(), 32U);
  EXPECT_EQ(ReasonOf(TryAdmit(kKey)), Reason::kForbidden);
  EXPECT_EQ(Begin(token, kKey).kind, Enrolment::Kind::kSign);
  EXPECT_EQ(Begin(token, kKey).kind, Enrolment::Kind::kSign);  // the certificate was never made
  ASSERT_TRUE(Finish(kKey));
  // A lost answer burns nothing: the same key gets the same certificate.
  const Enrolment again = Begin(token, kKey);
  EXPECT_EQ(again.kind, Enrolment::Kind::kCertificate);
  EXPECT_EQ(again.certificate, "PEM");
  EXPECT_EQ(StateOf(), DeviceState::kClaimed);
  EXPECT_TRUE(Must(TryAdmit(kKey)).needs_contact);
  Touch(kKey);
  EXPECT_EQ(StateOf(), DeviceState::kActive);
  EXPECT_FALSE(Must(TryAdmit(kKey)).needs_contact);
  EXPECT_EQ(ReasonOf(TryAdmit(kOtherKey)), Reason::kForbidden);
  EXPECT_EQ(platform.Events(EventKind::kDeviceActive).size(), 1U);
}

TEST_F(Registry, ASecondKeyUnderOneClaimQuarantines) {
  const std::string token = platform.MakeClaim("dev-1");
  EXPECT_EQ(Begin(token, kKey).kind, Enrolment::Kind::kSign);
  EXPECT_EQ(Begin(token, kOtherKey).kind, Enrolment::Kind::kConflict);
  EXPECT_EQ(StateOf(), DeviceState::kQuarantined);
  EXPECT_EQ(platform.Events(EventKind::kClaimConflict).size(), 1U);
  EXPECT_EQ(ReasonOf(Finish(kOtherKey)), Reason::kConflict);
  EXPECT_EQ(ReasonOf(Finish(kKey)), Reason::kConflict);  // quarantined meanwhile
  EXPECT_EQ(ReasonOf(platform.Write([&](sql::Tx& tx) { return BeginEnrolment(tx, "dev-1", token, kKey); })),
            Reason::kForbidden);
}

TEST_F(Registry, WithoutTheTokenNothingIsToldAndNothingHappens) {
  const std::string token = platform.MakeClaim("dev-1");
  std::set<std::string> details;
  const auto refused = [&](const std::string& id, const std::string& with) {
    const auto begun = platform.Write([&](sql::Tx& tx) { return BeginEnrolment(tx, id, with, kKey); });
    EXPECT_EQ(ReasonOf(begun), Reason::kUnauthenticated);
    details.insert(DetailOf(begun));
  };
  refused("dev-1", std::string(32, '0'));
  refused("dev-1", "");
  refused("nobody", token);
  platform.Pass(kClaimLifeS);
  refused("dev-1", token);
  EXPECT_EQ(details.size(), 1U);
  EXPECT_EQ(StateOf(), DeviceState::kClaimed);
}

TEST_F(Registry, TheTokenIsStoredAsItsHashAlone) {
  const std::string token = platform.MakeClaim("dev-1");
  std::ifstream file(platform.path() + "-wal", std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  ASSERT_FALSE(bytes.str().empty());
  EXPECT_EQ(bytes.str().find(token), std::string::npos);
}

TEST_F(Registry, ARenewedKeyTakesOverWhenItConnects) {
  platform.MakeActive("dev-1");
  const Digest first = Platform::SpkiOf("dev-1");
  const auto begin = [&](const Digest& presented) {
    return platform.Write([&](sql::Tx& tx) { return BeginRenewal(tx, "dev-1", presented, kKey); });
  };
  EXPECT_EQ(ReasonOf(begin(kOtherKey)), Reason::kForbidden);
  EXPECT_EQ(Must(begin(first)).kind, Enrolment::Kind::kSign);
  platform.Do([&](sql::Tx& tx) { return FinishRenewal(tx, "dev-1", kKey, "PEM2", kStartMs + 9); });
  EXPECT_EQ(Must(begin(first)).certificate, "PEM2");
  EXPECT_TRUE(TryAdmit(first));  // the old one stays until the new one has connected
  EXPECT_TRUE(Must(TryAdmit(kKey)).needs_contact);
  Touch(kKey);
  EXPECT_EQ(ReasonOf(TryAdmit(first)), Reason::kForbidden);
  EXPECT_EQ(platform.DeviceOf("dev-1").pin, kKey);
  EXPECT_EQ(platform.DeviceOf("dev-1").certificate_expires_ms, kStartMs + 9);
  Change(DeviceAction::kSuspend).value();
  EXPECT_EQ(ReasonOf(begin(kKey)), Reason::kForbidden);
}

TEST_F(Registry, EveryStateChangeRaisesTheGenerationAndShowsInTheView) {
  platform.MakeActive("dev-1");
  std::uint64_t generation = Generation();
  const auto raised = [&] { return Generation() > std::exchange(generation, Generation()); };
  const auto view = [&] {
    std::vector<RegistryEntry> entries;
    platform.Do([&](sql::Tx& tx) {
      return EachRegistryEntry(tx, [&](const RegistryEntry& entry) -> Status {
        entries.push_back(entry);
        return {};
      });
    });
    return entries;
  };
  ASSERT_EQ(view().size(), 1U);
  EXPECT_TRUE(view().front().admitted);
  EXPECT_EQ(view().front().pins, std::vector<Digest>{Platform::SpkiOf("dev-1")});
  EXPECT_TRUE(Change(DeviceAction::kSuspend));
  EXPECT_TRUE(raised());
  EXPECT_FALSE(view().front().admitted);
  EXPECT_EQ(ReasonOf(TryAdmit(Platform::SpkiOf("dev-1"))), Reason::kForbidden);
  EXPECT_TRUE(Change(DeviceAction::kSuspend));  // again: no change, no event
  EXPECT_FALSE(raised());
  EXPECT_EQ(platform.Events(EventKind::kDeviceSuspended).size(), 1U);
  EXPECT_TRUE(Change(DeviceAction::kActivate));
  EXPECT_TRUE(raised());
  EXPECT_TRUE(view().front().admitted);
}

TEST_F(Registry, AClaimedDeviceIsAdmittedOnceItsKeyIsPinned) {
  const std::string token = platform.MakeClaim("dev-1");
  bool admitted = true;
  const auto look = [&] {
    platform.Do([&](sql::Tx& tx) {
      return EachRegistryEntry(tx, [&](const RegistryEntry& entry) -> Status {
        admitted = entry.admitted;
        return {};
      });
    });
    return admitted;
  };
  EXPECT_FALSE(look());
  Begin(token, kKey);
  EXPECT_FALSE(look());
  ASSERT_TRUE(Finish(kKey));
  EXPECT_TRUE(look());
}

TEST_F(Registry, ANewClaimTakesTheOldKeyAway) {
  platform.MakeActive("dev-1");
  const auto claim = [&] { return platform.Write([](sql::Tx& tx) { return NewClaim(tx, kOperator, "dev-1"); }); };
  EXPECT_EQ(ReasonOf(claim()), Reason::kConflict);  // active: suspend first
  Change(DeviceAction::kSuspend).value();
  const std::string token = Must(claim()).token;
  EXPECT_EQ(StateOf(), DeviceState::kClaimed);
  EXPECT_EQ(ReasonOf(TryAdmit(Platform::SpkiOf("dev-1"))), Reason::kForbidden);
  EXPECT_EQ(Begin(token, kOtherKey).kind, Enrolment::Kind::kSign);
  ASSERT_TRUE(Finish(kOtherKey));
  EXPECT_TRUE(TryAdmit(kOtherKey));
}

TEST_F(Registry, ActivatingADeviceWithoutAKeyMakesItClaimed) {
  platform.MakeClaim("dev-1");
  Change(DeviceAction::kQuarantine).value();
  EXPECT_EQ(Must(Change(DeviceAction::kActivate)).state, DeviceState::kClaimed);
}

// The rows of docs/spec/protocol.md, "Device states", against what the code does.
TEST_F(Registry, TransitionsAreThoseOfTheDocumentedTable) {
  std::ifstream page("docs/spec/protocol.md");
  ASSERT_TRUE(page) << "run from the source folder";
  std::map<std::string, std::vector<std::string>> rows;
  for (std::string line; std::getline(page, line);) {
    std::vector<std::string> cells;
    std::stringstream text(line);
    for (std::string cell; std::getline(text, cell, '|');) {
      const auto first = cell.find_first_not_of(' ');
      cells.push_back(first == std::string::npos ? "" : cell.substr(first, cell.find_last_not_of(' ') - first + 1));
    }
    if (cells.size() == 8 && cells[1].starts_with('`')) rows[cells[1].substr(1, cells[1].size() - 2)] = cells;
  }
  ASSERT_EQ(rows.size(), 5U);
  constexpr std::array kActions = {DeviceAction::kSuspend, DeviceAction::kActivate, DeviceAction::kQuarantine,
                                   DeviceAction::kDecommission};
  int number = 0;
  for (int s = 0; s < 5; ++s) {
    const auto state = static_cast<DeviceState>(s);
    const auto make = [&] {
      const std::string id = "table-" + std::to_string(++number);
      platform.MakeActive(id);
      platform.Do(
          [&](sql::Tx& tx) { return tx.Execute("UPDATE devices SET state = ? WHERE id = ?", {Text(state), id}); });
      return id;
    };
    const std::vector<std::string>& cells = rows.at(std::string(Text(state)));
    for (std::size_t a = 0; a < kActions.size(); ++a) {
      const std::string id = make();
      const auto changed = Change(kActions[a], id);
      const bool moved = changed && changed->state != state;
      EXPECT_EQ(moved ? std::string(Text(changed->state)) : "-", cells[3 + a]) << Text(state) << Text(kActions[a]);
    }
    const std::string id = make();
    const bool claimed = platform.Write([&](sql::Tx& tx) { return NewClaim(tx, kOperator, id); }).has_value();
    EXPECT_EQ(claimed, cells[7] == "claimed") << Text(state);
  }
}

TEST_F(Registry, DevicesAreFoundByStateClassAttributeAndGlob) {
  platform.MakeClass("virtual-2");
  const auto add = [&](const std::string& id, const std::string& cls, const std::string& site) {
    platform.Do([&](sql::Tx& tx) { return CreateDevice(tx, kOperator, {id, cls, 0, {{"site", site}, {"row", "1"}}}); });
  };
  add("dev-1", "virtual-1", "north");
  add("dev-2", "virtual-1", "south");
  add("gate_1", "virtual-2", "north");
  const auto find = [&](const DeviceFilter& filter) {
    std::string ids;
    const auto page = platform.Do([&](sql::Tx& tx) { return ListDevices(tx, filter, {}); });
    for (const Device& device : page.items) ids += device.id + " ";
    return ids;
  };
  EXPECT_EQ(find({}), "dev-1 dev-2 gate_1 ");
  EXPECT_EQ(find({.class_name = "virtual-1"}), "dev-1 dev-2 ");
  EXPECT_EQ(find({.attributes = {{"site", "north"}}}), "dev-1 gate_1 ");
  EXPECT_EQ(find({.attributes = {{"site", "north"}, {"row", "2"}}}), "");
  EXPECT_EQ(find({.id_glob = "dev-*"}), "dev-1 dev-2 ");
  EXPECT_EQ(find({.id_glob = "gate_?"}), "gate_1 ");
  EXPECT_EQ(find({.id_glob = "_ev-1"}), "");  // not a wildcard of ours
  EXPECT_EQ(find({.id_glob = "%"}), "");
  platform.Do([](sql::Tx& tx) { return tx.Execute("UPDATE devices SET via = 'gw-7' WHERE id = 'dev-1'"); });
  EXPECT_EQ(find({.via = "gw-7"}), "dev-1 ");
  EXPECT_EQ(find({.via = "gw"}), "");
  EXPECT_EQ(EncodeFilter({.via = "gw-7"}), R"({"via":"gw-7"})");
  Change(DeviceAction::kSuspend, "dev-2").value();
  EXPECT_EQ(find({.state = DeviceState::kSuspended}), "dev-2 ");
}

TEST_F(Registry, BadDevicesAreRefused) {
  const auto create = [&](const DeviceSpec& spec) {
    return ReasonOf(platform.Write([&](sql::Tx& tx) { return CreateDevice(tx, kOperator, spec); }));
  };
  EXPECT_EQ(create({"dev-1", "virtual-1", 0, {}}), Reason::kNone);
  EXPECT_EQ(create({"dev-1", "virtual-1", 0, {}}), Reason::kConflict);
  EXPECT_EQ(create({"../x", "virtual-1", 0, {}}), Reason::kInvalidArgument);
  EXPECT_EQ(create({"dev-2", "nobody", 0, {}}), Reason::kNotFound);
  EXPECT_EQ(create({"dev-2", "virtual-1", 0, {{"", "x"}}}), Reason::kInvalidArgument);
  EXPECT_EQ(create({"dev-2", "virtual-1", 0, std::vector<wire::Attribute>(17, {"a", "b"})}), Reason::kInvalidArgument);
}

}  // namespace
}  // namespace pawl::data
