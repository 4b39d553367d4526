// kill -9 at many points of the first start: the next start completes it.
//
// The points are the system calls that change files. The process is traced and killed before the n-th of them.

#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "signer/main/signer_process.h"
#include "trust/sign/client.h"
#include "trust/sign/pem.h"
#include "trust/sign/temporary_folder.h"
#include "trust/verify/key_table.h"

namespace pawl::sign {
namespace {

namespace fs = std::filesystem;

constexpr int kPoints = 20;

std::vector<std::string> Arguments(const TemporaryFolder& folder) {
  return {"--dir",     folder.file("hsm"),          "--socket",       folder.file("socket"),
          "--anchors", folder.file("anchors.cbor"), "--offline-keys", folder.file("offline-keys")};
}

bool ChangesFiles(std::uint64_t call) {
  constexpr std::uint64_t kCalls[] = {SYS_write,   SYS_pwrite64, SYS_ftruncate, SYS_fsync,     SYS_fdatasync,
                                      SYS_mkdirat, SYS_unlinkat, SYS_renameat,  SYS_renameat2, SYS_openat,
#if defined(SYS_rename)
                                      SYS_rename,  SYS_mkdir,    SYS_unlink,    SYS_rmdir
#endif
  };
  return std::ranges::count(kCalls, call) != 0;
}

// Lets the process run, counting its calls that change files, and kills it before the n-th; n = 0: at the first accept
// of connections. Returns how many it made.
int RunUntil(SignerProcess& process, int n) {
  int status = 0;
  int calls = 0;
  waitpid(process.pid(), &status, 0);  // at its first instruction
  ptrace(PTRACE_SETOPTIONS, process.pid(), nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  bool entering = false;
  while (ptrace(PTRACE_SYSCALL, process.pid(), nullptr, nullptr) == 0 && waitpid(process.pid(), &status, 0) > 0) {
    if (WIFEXITED(status) || WIFSIGNALED(status)) break;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) continue;
    entering = !entering;
    if (!entering) continue;
    __ptrace_syscall_info info{};
    ptrace(PTRACE_GET_SYSCALL_INFO, process.pid(), sizeof info, &info);
    calls += ChangesFiles(info.entry.nr) ? 1 : 0;
    if ((n != 0 && calls == n) || info.entry.nr == SYS_listen) break;
  }
  process.Signal(SIGKILL);
  process.Wait();
  return calls;
}

int KillAt(const TemporaryFolder& folder, int n) {
  SignerProcess process(Arguments(folder), true);
  return RunUntil(process, n);
}

std::vector<std::string> HalfMade(const TemporaryFolder& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    const std::string name = entry.path();
    if (name.ends_with(".tmp") || name.ends_with(".new")) names.push_back(name);
  }
  return names;
}

void ExpectCompleted(const TemporaryFolder& folder) {
  SignerProcess process(Arguments(folder));
  ASSERT_TRUE(process.WaitLog("msg=listening")) << process.log();
  const auto status = SignerClient(folder.file("socket")).Status();
  ASSERT_TRUE(status);
  EXPECT_TRUE(status->hsm_ready) << status->hsm_problem;
  EXPECT_EQ(HalfMade(folder), std::vector<std::string>());
  const auto table = DecodeAnchors(status->anchors);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->keys.size(), 8U);
  for (const std::string name : {"root-1", "root-2", "root-3", "image-2", "director-2"}) {
    const auto key = PublicKeyOfPem(*ReadFile(folder.file("offline-keys/" + name + ".pem")));
    ASSERT_TRUE(key) << name;
    EXPECT_TRUE(std::ranges::any_of(table->keys, [&](const Key& listed) { return listed.public_key == *key; })) << name;
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.file("hsm/tokens")), fs::directory_iterator()), 1);
}

TEST(FirstStart, KilledAtAnyPointIsCompletedByTheNext) {
  int calls = 0;
  {
    const TemporaryFolder folder;
    calls = KillAt(folder, 0);
    if (calls == 0) GTEST_SKIP() << "ptrace is not allowed here";
    ExpectCompleted(folder);
  }
  ASSERT_GT(calls, 2 * kPoints);
  for (int i = 1; i <= kPoints; ++i) {
    const int n = calls * i / kPoints;
    SCOPED_TRACE("killed before call " + std::to_string(n) + " of " + std::to_string(calls));
    const TemporaryFolder folder;
    KillAt(folder, n);
    ExpectCompleted(folder);
  }
}

// The start after a kill may be killed too.
TEST(FirstStart, KilledAgainAndAgainIsCompletedInTheEnd) {
  const TemporaryFolder folder;
  for (const int n : {40, 80, 120, 200, 300, 350, 400}) KillAt(folder, n);
  ExpectCompleted(folder);
}

}  // namespace
}  // namespace pawl::sign
