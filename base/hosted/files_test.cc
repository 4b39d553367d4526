#include "base/hosted/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

namespace pawl {
namespace {

class Files : public testing::Test {
 protected:
  Files() : folder_(testing::TempDir() + "pawl-files-XXXXXX") { EXPECT_NE(::mkdtemp(folder_.data()), nullptr); }
  ~Files() override { std::filesystem::remove_all(folder_); }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  std::string folder_;
};

TEST_F(Files, WritesWholeFilesWithTheirMode) {
  const std::string path = Path("key");
  const mode_t umask_before = ::umask(0077);
  ASSERT_TRUE(WriteFileDurably(path, "old", 0644));
  ::umask(umask_before);
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0644U);
  ASSERT_TRUE(WriteFileDurably(path + ".new", "of an attempt that was cut", 0444));
  ASSERT_TRUE(WriteFileDurably(path, "secret", 0600));
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_EQ(ReadFile(path).value(), "secret");
  EXPECT_FALSE(FileExists(path + ".new"));
  ASSERT_TRUE(RemoveFile(path));
  EXPECT_FALSE(FileExists(path));
}

TEST_F(Files, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(ReadFile(Path("none")).error().reason, Reason::kNotFound);
  ASSERT_TRUE(WriteFileDurably(Path("big"), "12345678901", 0644));
  EXPECT_EQ(ReadFile(Path("big"), 10).error().reason, Reason::kTooLarge);
  EXPECT_EQ(ReadFile(Path("big"), 11).value(), "12345678901");
  const auto nowhere = WriteFileDurably(Path("no/such"), "x", 0644);
  EXPECT_TRUE(nowhere.error().detail.view().ends_with("no/such.new: No such file or directory"))
      << nowhere.error().detail.view();
  EXPECT_TRUE(RemoveFile(Path("none")));
  EXPECT_EQ(MakePrivateFolder(Path("big")).error().reason, Reason::kConflict);
  ASSERT_TRUE(MakePrivateFolder(Path("folder")));
  EXPECT_TRUE(MakePrivateFolder(Path("folder")));
}

TEST_F(Files, ReadsWhatHasNoSizeAndWhatIsLong) {
  EXPECT_NE(ReadFile("/proc/self/status").value().find("Name:"), std::string::npos);
  const std::string content(300'000, 'x');
  ASSERT_TRUE(WriteFileDurably(Path("long"), content, 0644));
  EXPECT_EQ(ReadFile(Path("long"), content.size()).value(), content);
  EXPECT_EQ(ReadFile(Path("long"), content.size() - 1).error().reason, Reason::kTooLarge);
}

// Another process that has the lock of `path` and ends by itself after so long.
pid_t Holder(const std::string& path, unsigned ends_after_s) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe(ends.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const OwnedFd file(::open(path.c_str(), O_RDWR | O_CREAT, 0600));
    if (!LockFile(file, path, "another holds") || ::write(ends[1], "x", 1) != 1) ::_exit(1);
    ::alarm(ends_after_s);
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  EXPECT_EQ(::read(ends[0], &byte, 1), 1);
  ::close(ends[0]);
  ::close(ends[1]);
  return child;
}

TEST_F(Files, ALockIsHeldByOneAndHandedOn) {
  const std::string path = Path("lock");
  const OwnedFd file(::open(path.c_str(), O_RDWR | O_CREAT, 0600));
  const pid_t stays = Holder(path, 60);
  const auto refused = LockFile(file, path, "another test holds");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, Reason::kConflict);
  EXPECT_EQ(refused.error().detail.view(), "another test holds " + path);
  ::kill(stays, SIGKILL);
  ::waitpid(stays, nullptr, 0);

  const pid_t ends = Holder(path, 1);
  EXPECT_TRUE(LockFile(file, path, "another holds"));  // which waited for it
  ::waitpid(ends, nullptr, 0);
}

}  // namespace
}  // namespace pawl
