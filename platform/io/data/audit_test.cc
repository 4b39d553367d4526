#include "platform/io/data/audit.h"

#include <gtest/gtest.h>

#include <set>

#include "platform/io/data/test_platform.h"

namespace pawl::data {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)
using testing::Platform;

AuditVerdict Verify(Platform& platform) {
  return platform.Do([](sql::Tx& tx) { return VerifyAudit(tx); });
}
void WriteThree(Platform& platform) {
  for (const char* object : {"one", "two", "three"}) {
    platform.Do([&](sql::Tx& tx) { return Audit(tx, kOperator, "thing.change", object, R"({"a":1})"); });
  }
}
// As somebody with the file in hand would do it.
void Tamper(Platform& platform, std::string_view sql) {
  platform.Do([&](sql::Tx& tx) -> Status {
    PAWL_TRY(tx.Execute("DROP TRIGGER audit_is_not_changed"));
    PAWL_TRY(tx.Execute("DROP TRIGGER audit_is_not_removed"));
    PAWL_TRY(tx.Execute(sql));
    return {};
  });
}

TEST(AuditTable, HoldsAfterOrdinaryWrites) {
  Platform platform;
  EXPECT_TRUE(Verify(platform).holds);
  WriteThree(platform);
  const AuditVerdict verdict = Verify(platform);
  EXPECT_TRUE(verdict.holds) << verdict.text;
  EXPECT_EQ(verdict.text, "3 rows hold");
  const auto rows = platform.Do([](sql::Tx& tx) { return ListAudit(tx, 1, 10); });
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows.back().object, "three");
  EXPECT_EQ(rows.back().hash, verdict.head);
  EXPECT_EQ(rows.back().actor, "olivia");
}

TEST(AuditTable, TheHashIsTheDocumentedOne) {
  Platform platform;
  platform.Do([&](sql::Tx& tx) { return Audit(tx, {"a"}, "b", "c", "{}"); });
  // sha256(32 zeros || for each of "1", "1800000000000", "default", "a", "b", "c", "{}": u32 LE length, bytes)
  EXPECT_EQ(Hex(Verify(platform).head), "e0906f83ecab1a34d0145461ed93b7b674ee1133aa2b2e7e09188d5ed21d9140");
}

TEST(AuditTable, CannotBeChangedThroughTheDatabase) {
  Platform platform;
  WriteThree(platform);
  for (const char* sql : {"UPDATE audit SET actor = 'nobody'", "DELETE FROM audit WHERE id = 2"}) {
    EXPECT_FALSE(platform.Write([&](sql::Tx& tx) { return tx.Execute(sql); })) << sql;
  }
  EXPECT_TRUE(Verify(platform).holds);
}

TEST(AuditTable, ShowsWhichRowWasTamperedWith) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"UPDATE audit SET actor = 'nobody' WHERE id = 2", "row 2 or the one before it was altered"},
      {"UPDATE audit SET at_ms = at_ms + 1 WHERE id = 1", "row 1 or the one before it was altered"},
      {"UPDATE audit SET action = 'thing', object = '.changetwo' WHERE id = 2",
       "row 2 or the one before it was altered"},
      {"UPDATE audit SET tenant = 'other' WHERE id = 3", "row 3 or the one before it was altered"},
      {"DELETE FROM audit WHERE id = 2", "row 2 is missing"},
      {"DELETE FROM audit WHERE id = 1", "row 1 is missing"},
  };
  for (const auto& [sql, text] : cases) {
    Platform platform;
    WriteThree(platform);
    Tamper(platform, sql);
    EXPECT_FALSE(Verify(platform).holds) << sql;
    EXPECT_EQ(Verify(platform).text, text) << sql;
  }
}

TEST(AuditTable, ACutOffEndChangesTheHead) {
  Platform platform;
  WriteThree(platform);
  const Digest head = Verify(platform).head;
  Tamper(platform, "DELETE FROM audit WHERE id = 3");
  EXPECT_TRUE(Verify(platform).holds);
  EXPECT_NE(Verify(platform).head, head);
}

TEST(AuditTable, EveryOperatorsChangeLeavesARowWithItsName) {
  Platform platform;
  platform.MakeClass();
  platform.MakeActive("dev-1");
  const Release release = platform.MakeRelease();
  const Campaign campaign = platform.Start({"dev-1"}, release);
  platform.Do([&](sql::Tx& tx) { return PauseCampaign(tx, kOperator, campaign.id, "wait"); });
  platform.Do([&](sql::Tx& tx) { return ChangeDeviceState(tx, kOperator, "dev-1", DeviceAction::kSuspend, "x"); });
  std::set<std::string> actions;
  for (const AuditEntry& entry : platform.Do([](sql::Tx& tx) { return ListAudit(tx, 0, 100); })) {
    if (entry.actor == "olivia") actions.insert(entry.action);
  }
  EXPECT_EQ(actions, (std::set<std::string>{"class.create", "device.create", "artifact.create", "release.create",
                                            "campaign.create", "campaign.pause", "device.suspended"}));
  EXPECT_TRUE(Verify(platform).holds);
}

TEST(Events, HaveIncreasingIdsAndAreFiltered) {
  Platform platform;
  platform.Do([](sql::Tx& tx) -> Status {
    PAWL_TRY(Emit(tx, {.kind = EventKind::kHsmDown, .text = "down"}));
    PAWL_TRY(Emit(tx, {.kind = EventKind::kDeviceConnected, .text = "a", .device = "dev-1"}));
    PAWL_TRY(Emit(tx, {.kind = EventKind::kDeviceConnected, .text = "b", .device = "dev-2", .campaign = "c"}));
    return {};
  });
  const auto list = [&](const EventFilter& filter) {
    std::string texts;
    for (const Event& event : platform.Do([&](sql::Tx& tx) { return ListEvents(tx, filter); })) texts += event.text;
    return texts;
  };
  EXPECT_EQ(list({}), "downab");
  EXPECT_EQ(list({.after = 1}), "ab");
  EXPECT_EQ(list({.limit = 2}), "downa");
  EXPECT_EQ(list({.limit = 2, .newest = true}), "ab");
  EXPECT_EQ(list({.device = "dev-1"}), "a");
  EXPECT_EQ(list({.campaign = "c"}), "b");
  EXPECT_EQ(list({.kind = EventKind::kHsmDown}), "down");
  EXPECT_EQ(platform.Do([](sql::Tx& tx) { return LastEventId(tx); }), 3);
}

TEST(Events, EveryKindHasItsOwnName) {
  std::set<std::string_view> names;
  for (const EventKind kind : AllEventKinds()) {
    EXPECT_TRUE(names.insert(Text(kind)).second) << Text(kind);
    EXPECT_EQ(ParseEventKind(Text(kind)), kind);
  }
  EXPECT_EQ(Text(SeverityOf(EventKind::kJobTimedOut)), "alert");
  EXPECT_FALSE(ParseEventKind("device.exploded").has_value());
}

}  // namespace
}  // namespace pawl::data
