#include "platform/io/channel/child.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace pawl {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Lines and changes of a child, to wait for.
class Record {
 public:
  ChildConfig Config(std::string script) {
    ChildConfig config;
    config.name = "toy";
    config.command = {"sh", "-c", std::move(script)};
    config.on_line = [this](std::string_view line) { Add(lines_, std::string(line)); };
    config.on_change = [this](bool ready, const std::string& what) { Add(changes_, (ready ? "+" : "-") + what); };
    return config;
  }
  bool WaitLine(const std::string& text, std::size_t times = 1) { return Wait(lines_, text, times); }
  bool WaitChange(const std::string& text, std::size_t times = 1) { return Wait(changes_, text, times); }

 private:
  void Add(std::vector<std::string>& to, std::string text) {
    const std::scoped_lock lock(mutex_);
    to.push_back(std::move(text));
    changed_.notify_all();
  }
  bool Wait(const std::vector<std::string>& in, const std::string& text, std::size_t times) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(20), [&] {
      std::size_t found = 0;
      for (const std::string& each : in) found += each.contains(text) ? 1U : 0U;
      return found >= times;
    });
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  std::vector<std::string> changes_;
};

bool Gone(pid_t pid) { return kill(pid, 0) != 0 && errno == ESRCH; }

TEST(Child, IsStartedAndItsLinesAreLogged) {
  Record record;
  Child child(record.Config("echo out; echo err >&2; exec sleep 100"));
  child.Start();
  ASSERT_TRUE(child.WaitReady(seconds(10)));
  EXPECT_TRUE(record.WaitLine("out"));
  EXPECT_TRUE(record.WaitLine("err"));
  EXPECT_GT(child.health().pid, 0);
}

TEST(Child, IsReadyOnlyWhenTheProbeSaysSo) {
  Record record;
  std::atomic<bool> answer = false;
  ChildConfig config = record.Config("exec sleep 100");
  config.is_ready = [&] { return answer.load(); };
  Child child(std::move(config));
  child.Start();
  const Status early = child.WaitReady(milliseconds(100));
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().reason, Reason::kTimeout);
  answer = true;
  EXPECT_TRUE(child.WaitReady(seconds(10)));
}

TEST(Child, IsStartedAgainWhenKilled) {
  Record record;
  Child child(record.Config("echo up; exec sleep 100"));
  child.Start();
  ASSERT_TRUE(record.WaitLine("up"));
  const pid_t first = child.health().pid;
  kill(first, SIGKILL);
  ASSERT_TRUE(record.WaitLine("up", 2));
  EXPECT_TRUE(record.WaitChange("-toy was ended by signal 9"));
  ASSERT_TRUE(child.WaitReady(seconds(10)));
  EXPECT_NE(child.health().pid, first);
  EXPECT_EQ(child.health().restarts, 1U);
}

TEST(Child, SaysHowItEndedAndWhatItSaidLast) {
  Record record;
  Child child(record.Config("echo no such key >&2; exit 3"));
  child.Start();
  EXPECT_TRUE(record.WaitChange("-toy ended with status 3; it said last: no such key", 2));
}

TEST(Child, ThatCannotBeExecutedSaysSo) {
  Record record;
  ChildConfig config = record.Config("");
  config.command = {"/no/such/program"};
  Child child(std::move(config));
  child.Start();
  EXPECT_TRUE(record.WaitChange("cannot be executed: No such file or directory"));
}

TEST(Child, ThatIgnoresSigtermIsKilledOnStop) {
  Record record;
  ChildConfig config = record.Config("trap '' TERM; echo up; while :; do read line; done < /dev/zero");
  config.stop_within = milliseconds(100);
  Child child(std::move(config));
  child.Start();
  ASSERT_TRUE(record.WaitLine("up"));
  const pid_t pid = child.health().pid;
  child.Stop();
  EXPECT_TRUE(Gone(pid));
  EXPECT_EQ(child.health().pid, 0);
}

TEST(Child, RunsInItsDirectoryWithItsEnvironmentAndUser) {
  Record record;
  ChildConfig config = record.Config("echo $(pwd) $COLOUR $(id -u); exec sleep 100");
  config.directory = "/usr";
  config.environment = {"COLOUR=green"};
  if (geteuid() == 0) config.run_as = UserId{65534, 65534};
  const std::string user = std::to_string(geteuid() == 0 ? 65534 : geteuid());
  Child child(std::move(config));
  child.Start();
  EXPECT_TRUE(record.WaitLine("/usr green " + user));
}

TEST(Child, DiesWithItsParentHoweverThatDies) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const pid_t parent = fork();
  if (parent == 0) {  // a supervisor that is killed
    ChildConfig config;
    config.name = "toy";
    config.command = {"sleep", "100"};
    Child child(std::move(config));
    child.Start();
    if (!child.WaitReady(seconds(10))) _exit(1);
    const pid_t pid = child.health().pid;
    if (write(ends[1], &pid, sizeof(pid)) != sizeof(pid)) _exit(1);
    pause();
  }
  pid_t orphan = 0;
  ASSERT_EQ(read(ends[0], &orphan, sizeof(orphan)), static_cast<ssize_t>(sizeof(orphan)));
  ASSERT_FALSE(Gone(orphan));
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  const auto deadline = std::chrono::steady_clock::now() + seconds(10);
  const auto is_zombie = [&] {
    std::ifstream stat("/proc/" + std::to_string(orphan) + "/stat");
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    return text.contains(") Z ");
  };
  while (!Gone(orphan) && !is_zombie() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(Gone(orphan) || is_zombie());
}

TEST(FindUser, NamesTheMissingUser) {
  EXPECT_EQ(FindUser("root")->user, 0U);
  const auto missing = FindUser("no-such-user");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().detail.view(), "this system has no user \"no-such-user\"");
}

}  // namespace
}  // namespace pawl
