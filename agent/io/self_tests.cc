#include "agent/io/self_tests.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "agent/io/log.h"
#include "agent/io/system.h"
#include "base/hosted/files.h"
#include "slots/slot.h"
#include "trust/crypto/crypto.h"

namespace pawl::agent {
namespace {

constexpr std::uint64_t kNoWatchdogBudgetMs = 60'000;
constexpr std::uint64_t kChildPollMs = 20;  // where the system has no pidfd
constexpr std::size_t kMaxOutput = 4096;
constexpr std::size_t kMaxExecutables = 32;
constexpr std::size_t kRamBytes = 1 << 20;

TestOutcome Failed(const Error& error) {
  std::string detail(Text(error.reason));
  if (!error.detail.empty()) detail.append(": ").append(error.detail.view());
  return {Verdict::kFail, std::move(detail)};
}

// --- built-in tests ---

TestOutcome TestFlash(RecordBootControl& boot) {
  std::array<std::uint8_t, 4096> block{};
  if (const Status read = boot.RunningSlot().Read(0, block); !read) return Failed(read.error());
  return {};
}

TestOutcome TestRecord(RecordBootControl& boot) {
  const BootRecord& record = boot.facts().record;
  const auto again = DecodeRecord(EncodeRecord(record));
  if (!again || *again != record) return {Verdict::kFail, "the boot record does not read back"};
  return {};
}

TestOutcome TestData(const Config& config) {
  const std::string path = config.InData("selftest.tmp");
  const std::string_view text = "pawl";
  if (const Status written = WriteFileDurably(path, text, 0600); !written) return Failed(written.error());
  const auto back = ReadFile(path, 64);
  if (!back || *back != text) return {Verdict::kFail, path + " does not read back"};
  if (const Status removed = RemoveFile(path); !removed) return Failed(removed.error());
  return {};
}

// Each word its own address, then the complement: stuck bits and shorted address lines show.
TestOutcome TestRam() {
  std::vector<std::uint32_t> words(kRamBytes / sizeof(std::uint32_t));
  volatile std::uint32_t* memory = words.data();
  for (const std::uint32_t flip : {0U, ~0U}) {
    for (std::uint32_t i = 0; i < words.size(); ++i) memory[i] = (i * 2654435761U) ^ flip;
    for (std::uint32_t i = 0; i < words.size(); ++i) {
      if (memory[i] != ((i * 2654435761U) ^ flip))
        return {Verdict::kFail, "word " + std::to_string(i) + " does not hold"};
    }
  }
  return {};
}

TestOutcome TestImage(RecordBootControl& boot, const KeyTable& anchors) {
  FileFlash& slot = boot.RunningSlot();
  const auto manifest = ReadManifest(slot, anchors);
  if (!manifest) return Failed(manifest.error());
  std::vector<std::uint8_t> buffer(256UL * 1024);
  crypto::Sha256 hash;
  const std::uint64_t total = manifest->get().image_bytes;
  for (std::uint64_t offset = 0; offset < total; offset += buffer.size()) {
    const MutableBytes part =
        MutableBytes(buffer).first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), total - offset)));
    if (const Status read = slot.Read(offset, part); !read) return Failed(read.error());
    hash.Update(part);
  }
  if (hash.Finish() != manifest->get().image_digest)
    return {Verdict::kFail, "the running image's digest is another one"};
  return {};
}

std::vector<std::string> Executables(const std::string& folder) {
  std::vector<std::string> found;
  DIR* dir = ::opendir(folder.c_str());
  if (dir == nullptr) return found;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string name = entry->d_name;
    if (name.starts_with('.') || ::access((folder + "/" + name).c_str(), X_OK) != 0) continue;
    struct stat info{};
    if (::stat((folder + "/" + name).c_str(), &info) == 0 && S_ISREG(info.st_mode)) found.push_back(name);
  }
  ::closedir(dir);
  std::ranges::sort(found);
  found.resize(std::min(found.size(), kMaxExecutables));
  return found;
}

std::string LastLine(std::string_view text) {
  const std::size_t end = text.find_last_not_of(" \r\n");
  if (end == std::string_view::npos) return {};
  const std::size_t start = text.rfind('\n', end);
  const std::size_t first = start == std::string_view::npos ? 0 : start + 1;
  return std::string(text.substr(first, std::min<std::size_t>(end + 1 - first, 160)));
}

SelfTest BuiltIn(std::string name, std::function<TestOutcome()> run) {
  return {.name = std::move(name), .run = std::move(run), .executable = {}};
}

}  // namespace

std::vector<SelfTest> BuiltInTests(RecordBootControl& boot, const Config& config, const KeyTable& anchors) {
  std::vector<SelfTest> tests;
  tests.push_back(BuiltIn("peripheral:flash", [&boot] { return TestFlash(boot); }));
  tests.push_back(BuiltIn("peripheral:record", [&boot] { return TestRecord(boot); }));
  tests.push_back(BuiltIn("peripheral:data", [&config] { return TestData(config); }));
  tests.push_back(BuiltIn("memory:ram", TestRam));
  tests.push_back(BuiltIn("memory:image", [&boot, &anchors] { return TestImage(boot, anchors); }));
  return tests;
}

SelfTest ConnectivityTest() { return {.name = "connectivity", .run = {}, .executable = {}, .connectivity = true}; }

std::vector<SelfTest> ExecutableTests(const Config& config) {
  std::vector<SelfTest> tests;
  const std::string folder = config.InData("selftest.d");
  for (const std::string& name : Executables(folder)) {
    tests.push_back({.name = name, .run = {}, .executable = folder + "/" + name});
  }
  return tests;
}

// --- the runner ---

struct SelfTestRunner::Child {
  pid_t pid = -1;
  OwnedFd pid_fd;
  OwnedFd output;
  std::string text;
  std::uint64_t kill_ms = 0;
};

// A step and the pause before it fit into the window with a quarter to spare.
SelfTestRunner::SelfTestRunner(HttpClient& http, const Config& config, Board& board)
    : board_(board), connectivity_(http, config) {
  const std::uint64_t window_ms = board.hand_off().watchdog_ms;
  budget_ms_ = window_ms == 0 ? kNoWatchdogBudgetMs : window_ms * 5 / 8;
  pause_ms_ = window_ms == 0 ? 1000 : std::min<std::uint64_t>(1000, window_ms / 8);
}

SelfTestRunner::~SelfTestRunner() { Stop(); }

void SelfTestRunner::Start(std::vector<SelfTest> tests, const TestLimits& limits, std::uint64_t now_ms) {
  Stop();
  tests_ = std::move(tests);
  std::vector<std::string> names;
  for (const SelfTest& test : tests_) names.push_back(test.name);
  trial_ = limits.budget_ms.has_value();
  plan_.emplace(std::move(names), limits, now_ms);
  not_before_ms_ = 0;
  wake_ms_ = 0;
}

void SelfTestRunner::Stop() {
  plan_.reset();
  under_way_.reset();
  connectivity_.Stop();
  EndChild();
}

void SelfTestRunner::AddTo(std::vector<pollfd>& fds) const {
  if (!child_) return;
  if (child_->output.get() >= 0) fds.push_back({child_->output.get(), POLLIN, 0});
  if (child_->pid_fd.get() >= 0) fds.push_back({child_->pid_fd.get(), POLLIN, 0});
}

std::optional<TestNext> SelfTestRunner::Work(std::uint64_t now_ms) {
  if (!plan_) return std::nullopt;
  if (!under_way_) {
    if (now_ms < not_before_ms_) return std::nullopt;
    const TestNext next = plan_->Next(now_ms);
    const auto* run = std::get_if<RunTest>(&next);
    if (run == nullptr) {
      Stop();
      return next;
    }
    under_way_ = run->index;
    Begin(tests_[run->index], now_ms);
  }
  const SelfTest& test = tests_[*under_way_];
  const std::optional<TestOutcome> outcome = Outcome(test, now_ms);
  if (!outcome) return std::nullopt;
  under_way_.reset();
  plan_->Completed(outcome->verdict, outcome->detail, now_ms);
  if (trial_) {
    if (const Status fed = board_.Feed(); !fed) LogError("watchdog", fed.error());
  }
  const bool again = outcome->verdict != Verdict::kPass && outcome->verdict != Verdict::kFail;
  not_before_ms_ = again ? now_ms + pause_ms_ : 0;
  wake_ms_ = not_before_ms_;
  Tell(test.name, *outcome);
  return std::nullopt;
}

void SelfTestRunner::Tell(const std::string& name, const TestOutcome& outcome) {
  if (outcome.verdict == Verdict::kFail) return;  // told by who asked for the tests
  std::string line = "self-test: " + name + ": " + (outcome.verdict == Verdict::kPass ? "passed" : "not yet");
  if (!outcome.detail.empty()) line += ": " + outcome.detail;
  if (line != told_) Log(line);
  told_ = std::move(line);
}

void SelfTestRunner::Begin(const SelfTest& test, std::uint64_t now_ms) {
  wake_ms_ = now_ms + budget_ms_;
  instant_.reset();
  if (test.connectivity) {
    connectivity_.Start(budget_ms_, DrawRandom().nonce);
  } else if (!test.executable.empty()) {
    const TestOutcome started = StartChild(test, now_ms);
    if (started.verdict == Verdict::kFail) instant_ = started;
  } else {
    instant_ = test.run();
    wake_ms_ = now_ms;
  }
}

std::optional<TestOutcome> SelfTestRunner::Outcome(const SelfTest& test, std::uint64_t now_ms) {
  if (instant_) return std::exchange(instant_, std::nullopt);
  if (!test.connectivity) return ChildOutcome(now_ms);
  const auto verdict = connectivity_.Take();
  if (!verdict) return std::nullopt;
  return TestOutcome{*verdict, connectivity_.detail()};
}

// --- children ---

TestOutcome SelfTestRunner::StartChild(const SelfTest& test, std::uint64_t now_ms) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return {Verdict::kFail, "no pipe"};
  child_ = std::make_unique<Child>();
  child_->output = OwnedFd(ends[0]);
  const OwnedFd write_end(ends[1]);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, write_end.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, write_end.get(), STDERR_FILENO);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);  // killed with all that it started
  std::string path = test.executable;
  char* argv[] = {path.data(), nullptr};
  const int failed = ::posix_spawn(&child_->pid, path.c_str(), &files, &attributes, argv, environ);
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
  if (failed != 0) {
    child_.reset();
    return {Verdict::kFail, std::string("cannot be started: ") + std::strerror(failed)};
  }
  child_->pid_fd = OwnedFd(static_cast<int>(::syscall(SYS_pidfd_open, child_->pid, 0)));
  child_->kill_ms = now_ms + budget_ms_;
  wake_ms_ = child_->pid_fd.get() >= 0 ? child_->kill_ms : now_ms + kChildPollMs;
  return {};
}

void SelfTestRunner::ReadChild() {
  std::array<char, 512> buffer;
  for (;;) {
    const ssize_t n = ::read(child_->output.get(), buffer.data(), buffer.size());
    if (n == 0) child_->output = OwnedFd();
    if (n <= 0) return;
    child_->text.append(buffer.data(), static_cast<std::size_t>(n));
    if (child_->text.size() > kMaxOutput) child_->text.erase(0, child_->text.size() - kMaxOutput);
  }
}

std::optional<TestOutcome> SelfTestRunner::ChildOutcome(std::uint64_t now_ms) {
  if (child_->output.get() >= 0) ReadChild();
  int status = 0;
  const bool ended = ::waitpid(child_->pid, &status, WNOHANG) == child_->pid;
  if (!ended && now_ms < child_->kill_ms) {
    wake_ms_ = child_->pid_fd.get() >= 0 ? child_->kill_ms : now_ms + kChildPollMs;
    return std::nullopt;
  }
  TestOutcome outcome;
  if (!ended) {
    outcome = {Verdict::kFail, "killed after its budget of " + std::to_string(budget_ms_) + " ms"};
  } else {
    if (child_->output.get() >= 0) ReadChild();
    child_->pid = -1;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) outcome = {Verdict::kFail, LastLine(child_->text)};
  }
  EndChild();
  return outcome;
}

void SelfTestRunner::EndChild() {
  if (child_ && child_->pid > 0) {
    ::kill(-child_->pid, SIGKILL);
    ::waitpid(child_->pid, nullptr, 0);
  }
  child_.reset();
}

}  // namespace pawl::agent
