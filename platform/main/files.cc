#include "platform/main/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace pawl::platform {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;

std::unexpected<Error> FailFile(const std::string& what, const std::string& path) {
  return Fail(errno == ENOENT ? Reason::kNotFound : Reason::kIo, what + " " + path + ": " + std::strerror(errno));
}

class File {
 public:
  explicit File(int file) : file_(file) {}
  ~File() {
    if (file_ >= 0) ::close(file_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return file_; }

 private:
  int file_;
};

Status WriteAll(int file, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t n = ::write(file, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailFile("cannot write", path);
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Status SyncFolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const File file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.get() < 0 || ::fsync(file.get()) != 0) return FailFile("cannot sync", folder);
  return {};
}

}  // namespace

Status MakeFolder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return FailFile("cannot make the folder", path);
}

Status WriteFile(const std::string& path, std::string_view content, unsigned mode) {
  const std::string temporary = path + ".new";
  ::unlink(temporary.c_str());
  {
    const File file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (file.get() < 0) return FailFile("cannot create", temporary);
    PAWL_TRY(WriteAll(file.get(), content, temporary));
    if (::fsync(file.get()) != 0) return FailFile("cannot sync", temporary);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return FailFile("cannot rename to", path);
  return SyncFolderOf(path);
}

Result<std::string> ReadFile(const std::string& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return FailFile("cannot open", path);
  std::string content;
  std::array<char, 8192> piece;
  for (;;) {
    const ssize_t n = ::read(file.get(), piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailFile("cannot read", path);
    if (n == 0) return content;
    content.append(piece.data(), static_cast<std::size_t>(n));
    if (content.size() > kMaxFileBytes) return Fail(Reason::kTooLarge, path + " is larger than 1 MiB");
  }
}

bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Result<DirectoryLock> DirectoryLock::Take(const std::string& directory) {
  const std::string path = directory + "/pawld.lock";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return FailFile("cannot open", path);
  DirectoryLock lock(file);
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    std::array<char, 32> holder{};
    const ssize_t n = ::pread(file, holder.data(), holder.size(), 0);
    const std::string who =
        n > 0 ? "process " + std::string(holder.data(), static_cast<std::size_t>(n)) : "another process";
    return Fail(Reason::kConflict,
                who + " uses the data directory " + directory + " already: stop it, or choose another --data");
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(file, 0) != 0 || ::pwrite(file, pid.data(), pid.size(), 0) < 0) return FailFile("cannot write", path);
  return lock;
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
DirectoryLock::~DirectoryLock() {
  if (file_ >= 0) ::close(file_);
}

Result<std::string> FindBeside(const std::string& name) {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return Fail(Reason::kIo, "cannot tell where pawld lies: " + error.message());
  const auto folder = program.parent_path();
  for (const char* place : {".", "../lib", "../lib/pawl", "../libexec/pawl"}) {
    const std::string path = (folder / place / name).lexically_normal().string();
    if (Exists(path)) return path;
  }
  return Fail(Reason::kNotFound,
              name + " is neither in " + folder.string() + " nor in ../lib, ../lib/pawl, ../libexec/pawl beside it");
}

}  // namespace pawl::platform
