#include "platform/io/data/database.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <latch>
#include <thread>

#include "platform/io/data/sqlite/sqlite.h"
#include "platform/io/data/test_platform.h"

namespace pawl::data {
namespace {

using testing::DetailOf;
using testing::Must;
using testing::Platform;
using testing::ReasonOf;
using testing::TemporaryFolder;

Result<std::int64_t> AddEvent(sql::Tx& tx, std::string_view text) {
  return Emit(tx, {.kind = EventKind::kHsmUp, .text = text});
}
std::size_t CountEvents(Database& database) {
  return Must(database.Read([](sql::Tx& tx) { return ListEvents(tx, {.limit = kMaxPage}); })).size();
}

TEST(Database, StoresWhatAWriteDidAndReadsItBack) {
  Platform platform;
  const auto id = platform.Do([](sql::Tx& tx) { return AddEvent(tx, "one"); });
  EXPECT_EQ(id, 1);
  EXPECT_EQ(CountEvents(platform.database()), 1U);
  platform.Reopen();
  EXPECT_EQ(CountEvents(platform.database()), 1U);
}

TEST(Database, AFailedWriteRollsBackItselfAlone) {
  Platform platform;
  std::latch queued(1);
  std::atomic<int> failed = 0, stored = 0;
  // The first write holds the writer until all others wait, so that they share one transaction.
  platform.database().WriteAsync(
      [&](sql::Tx& tx) -> Status {
        queued.wait();
        return AddEvent(tx, "first") ? Status() : Status(Fail(Reason::kStorage));
      },
      [&](const Status&) {});
  std::latch done(100);
  for (int i = 0; i < 100; ++i) {
    platform.database().WriteAsync(
        [i](sql::Tx& tx) -> Status {
          PAWL_TRY(AddEvent(tx, "event"));
          if (i % 10 == 0) return Fail(Reason::kConflict, "on purpose");
          if (i % 10 == 1) throw std::runtime_error("a library threw");
          return {};
        },
        [&](const Status& status) {
          ++(status ? stored : failed);
          done.count_down();
        });
  }
  queued.count_down();
  done.wait();
  EXPECT_EQ(failed, 20);
  EXPECT_EQ(stored, 80);
  EXPECT_EQ(CountEvents(platform.database()), 81U);
}

TEST(Database, WritesThatWaitTogetherShareOneCommit) {
  Platform platform;
  std::atomic<int> commits = 0;
  platform.database().OnCommit([&] { ++commits; });
  std::latch queued(1), done(501);
  const auto write = [&](std::latch* wait_for) {
    platform.database().WriteAsync(
        [wait_for](sql::Tx& tx) -> Status {
          if (wait_for != nullptr) wait_for->wait();
          PAWL_TRY(AddEvent(tx, "event"));
          return {};
        },
        [&](const Status& status) {
          EXPECT_TRUE(status);
          done.count_down();
        });
  };
  write(&queued);
  for (int i = 0; i < 500; ++i) write(nullptr);
  queued.count_down();
  done.wait();
  platform.database().Close();  // the listeners of the last commit have run
  EXPECT_LE(commits, 2);
  EXPECT_GE(commits, 1);
}

TEST(Database, ListenersHearOfCommitsThatStoredSomethingAndMaySeeIt) {
  Platform platform;
  std::atomic<int> commits = 0;
  platform.database().OnCommit([&] { ++commits; });
  platform.Do([](sql::Tx& tx) { return LastEventId(tx); });  // stores nothing
  platform.Do([](sql::Tx& tx) { return AddEvent(tx, "one"); });
  EXPECT_EQ(ReasonOf(platform.Write([](sql::Tx& tx) -> Status {
              PAWL_TRY(AddEvent(tx, "two"));
              return Fail(Reason::kConflict);
            })),
            Reason::kConflict);
  platform.database().Close();
  EXPECT_EQ(CountEvents(platform.database()), 1U);
  EXPECT_GE(commits, 1);
  EXPECT_LE(commits, 2);
}

TEST(Database, AReaderSeesOneSnapshotAndCannotWrite) {
  Platform platform;
  Must(platform.database().Read([&](sql::Tx& reader) -> Status {
    EXPECT_EQ(Must(LastEventId(reader)), 0);
    platform.Do([](sql::Tx& tx) { return AddEvent(tx, "meanwhile"); });
    EXPECT_EQ(Must(LastEventId(reader)), 0);
    EXPECT_EQ(ReasonOf(AddEvent(reader, "by a reader")), Reason::kStorage);
    return {};
  }));
  EXPECT_EQ(CountEvents(platform.database()), 1U);
}

TEST(Database, ForeignKeysAndUniquenessAreConflicts) {
  Platform platform;
  EXPECT_EQ(ReasonOf(platform.Write([](sql::Tx& tx) {
              return tx.Execute(
                  "INSERT INTO campaigns (id, name, release, state, targets, target_count, job_life_s, created_ms, "
                  "created_by) VALUES ('c', 'c', 'no such release', 'running', '', 0, 0, 0, '')");
            })),
            Reason::kConflict);
}

TEST(Database, AfterCloseWritesAreRefusedAndReadsGoOn) {
  Platform platform;
  platform.database().Close();
  EXPECT_EQ(ReasonOf(platform.Write([](sql::Tx& tx) { return AddEvent(tx, "late"); })), Reason::kUnavailable);
  EXPECT_EQ(CountEvents(platform.database()), 0U);
}

TEST(Database, AFullDiskFailsTheWriteByNameAndNothingElse) {
  Platform platform;
  platform.Do([](sql::Tx& tx) -> Status {
    return tx.Query("PRAGMA max_page_count = 120", {}, [](const sql::Row&) -> Status { return {}; });
  });
  const auto big = [&] { return platform.Write([](sql::Tx& tx) { return AddEvent(tx, std::string(1 << 20, 'x')); }); };
  EXPECT_EQ(ReasonOf(big()), Reason::kNoSpace);
  EXPECT_TRUE(platform.database().Healthy());
  platform.Do([](sql::Tx& tx) { return AddEvent(tx, "small"); });
  EXPECT_EQ(CountEvents(platform.database()), 1U);
}

TEST(Database, TheFileIsItsUsersAlone) {
  Platform platform;
  platform.Do([](sql::Tx& tx) { return AddEvent(tx, "one"); });
  for (const std::string suffix : {"", "-wal", "-shm"}) {
    struct stat about{};
    ASSERT_EQ(::stat((platform.path() + suffix).c_str(), &about), 0) << suffix;
    EXPECT_EQ(about.st_mode & 0777, 0600U) << suffix;
  }
}

TEST(Database, OfANewerPawlIsRefusedByName) {
  Platform platform;
  platform.Do([](sql::Tx& tx) { return tx.Execute("UPDATE schema_version SET version = version + 1"); });
  const auto opened = Database::Open(platform.path());
  EXPECT_EQ(ReasonOf(opened), Reason::kUnsupportedVersion);
  EXPECT_NE(DetailOf(opened).find("use a newer pawld"), std::string::npos);
}

TEST(Database, AFileThatIsNoDatabaseIsCorrupt) {
  const TemporaryFolder folder;
  std::ofstream(folder / "pawl.db") << std::string(8192, 'x');
  EXPECT_EQ(ReasonOf(Database::Open(folder / "pawl.db")), Reason::kCorrupt);
  EXPECT_EQ(ReasonOf(Database::Open(folder / "no/such/folder/pawl.db")), Reason::kIo);
}

// Writes until it is killed; each acknowledged event's id goes through the pipe.
[[noreturn]] void WriteForEver(const std::string& path, int acknowledged) {
  auto database = Database::Open(path);
  if (!database) ::_exit(1);
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&] {
      while (true) {
        const auto id = (*database)->Write([](sql::Tx& tx) { return AddEvent(tx, "acknowledged"); });
        if (!id || ::write(acknowledged, &*id, sizeof(*id)) != sizeof(*id)) ::_exit(2);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  ::_exit(0);
}

TEST(Database, KilledInTheMiddleItStillHasEveryAcknowledgedWrite) {
  const TemporaryFolder folder;
  const std::string path = folder / "pawl.db";
  std::size_t total = 0;
  for (int round = 0; round < 5; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) WriteForEver(path, ends[1]);
    ::close(ends[1]);
    std::vector<std::int64_t> acknowledged;
    std::int64_t id = 0;
    while (acknowledged.size() < 100 && ::read(ends[0], &id, sizeof(id)) == sizeof(id)) acknowledged.push_back(id);
    ::kill(child, SIGKILL);
    while (::read(ends[0], &id, sizeof(id)) == sizeof(id))
      acknowledged.push_back(id);  // in the pipe: acknowledged, too
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    ASSERT_GE(acknowledged.size(), 100U);
    total += acknowledged.size();

    const auto database = Must(Database::Open(path));
    Must(database->Read([&](sql::Tx& tx) -> Status {
      for (const std::int64_t event : acknowledged) {
        PAWL_ASSIGN(const auto found, tx.One("SELECT text FROM events WHERE id = ?", {event},
                                             [](const sql::Row& row) { return row.String(0); }));
        EXPECT_EQ(found, "acknowledged") << event;
      }
      return {};
    }));
  }
  EXPECT_GE(total, 500U);
}

TEST(Sql, ValuesOfEveryTypeComeBackAsTheyWere) {
  Platform platform;
  platform.Do([](sql::Tx& tx) -> Status {
    PAWL_TRY(tx.Execute("CREATE TABLE t (a, b, c, d, e)"));
    const std::vector<std::uint8_t> none;
    PAWL_TRY(tx.Execute("INSERT INTO t VALUES (?, ?, ?, ?, ?)",
                        {std::int64_t{-5}, std::string_view(), none, std::optional<std::int64_t>(), Digest{7}}));
    PAWL_TRY(tx.Query("SELECT * FROM t", {}, [](const sql::Row& row) -> Status {
      EXPECT_EQ(row.Int(0), -5);
      EXPECT_FALSE(row.IsNull(1));
      EXPECT_EQ(row.Text(1), "");
      EXPECT_FALSE(row.IsNull(2));
      EXPECT_TRUE(row.IsNull(3));
      EXPECT_EQ(row.Fixed<32>(4), Digest{7});
      EXPECT_EQ(row.Fixed<16>(4), Uuid{});
      return {};
    }));
    return {};
  });
}

TEST(Sql, ARowsCallbackMayRunTheSameStatementAgain) {
  Platform platform;
  platform.Do([](sql::Tx& tx) -> Status {
    PAWL_TRY(AddEvent(tx, "a"));
    PAWL_TRY(AddEvent(tx, "b"));
    constexpr std::string_view kText = "SELECT id FROM events WHERE id > ? ORDER BY id";
    int pairs = 0;
    PAWL_TRY(tx.Query(kText, {0}, [&](const sql::Row&) {
      return tx.Query(kText, {0}, [&](const sql::Row&) -> Status {
        ++pairs;
        return {};
      });
    }));
    EXPECT_EQ(pairs, 4);
    return {};
  });
}

}  // namespace
}  // namespace pawl::data
