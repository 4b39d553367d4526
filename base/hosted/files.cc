#include "base/hosted/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

namespace pawl {
namespace {

constexpr std::size_t kReadStep = 65536;
constexpr auto kLockPoll = std::chrono::milliseconds(20);

}  // namespace

OwnedFd& OwnedFd::operator=(OwnedFd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

OwnedFd::~OwnedFd() {
  if (fd_ >= 0) ::close(fd_);
}

std::unexpected<Error> FailErrno(std::string_view what) {
  Reason reason = Reason::kIo;
  if (errno == ENOENT) reason = Reason::kNotFound;
  if (errno == ENOSPC || errno == EDQUOT) reason = Reason::kNoSpace;
  return FailErrno(what, reason);
}

std::unexpected<Error> FailErrno(std::string_view what, Reason reason) {
  Error error{reason, what};
  error.detail.append(": ").append(std::strerror(errno));
  return std::unexpected(error);
}

std::unexpected<Error> FileError(std::string_view what, std::string_view path) {
  BoundedText<240> text("cannot ");
  return FailErrno(text.append(what).append(" ").append(path).view());
}

Result<std::string> ReadFile(const std::string& path, std::size_t bytes_max) {
  const OwnedFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file) return FileError("read", path);
  return ReadAll(file, path, bytes_max);
}

Result<std::string> ReadAll(const OwnedFd& file, std::string_view path, std::size_t bytes_max) {
  // To its end, not by the size that stat tells: a file of /proc tells none.
  std::string content;
  std::size_t size = 0;
  for (;;) {
    content.resize(std::min(size + kReadStep, bytes_max + 1));
    if (size == content.size()) {
      return Fail(Reason::kTooLarge,
                  std::string(path) + " is over its limit of " + std::to_string(bytes_max) + " bytes");
    }
    const ssize_t got = ::read(file.get(), content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError("read", path);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  content.resize(size);
  return content;
}

Status WriteFileDurably(const std::string& path, ByteView content, unsigned mode) {
  const std::string temporary = path + ".new";
  if (::unlink(temporary.c_str()) != 0 && errno != ENOENT) return FileError("remove", temporary);
  {
    const OwnedFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return FileError("create", temporary);
    PAWL_TRY(WriteAll(file, content, temporary));
    if (::fchmod(file.get(), mode) != 0) return FileError("set the mode of", temporary);
    if (::fsync(file.get()) != 0) return FileError("flush", temporary);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return FileError("put in place", path);
  return SyncFolder(FolderOf(path));
}

Status WriteFileDurably(const std::string& path, std::string_view content, unsigned mode) {
  return WriteFileDurably(path, AsBytes(content), mode);
}

Status RemoveFile(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return FileError("remove", path);
  return SyncFolder(FolderOf(path));
}

bool FileExists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Status MakePrivateFolder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0) return SyncFolder(FolderOf(path));
  if (errno != EEXIST) return FileError("make the folder", path);
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) return FileError("look at", path);
  if (!S_ISDIR(facts.st_mode)) return Fail(Reason::kConflict, path + " is no folder");
  return {};
}

Status SyncFolder(const std::string& path) {
  const OwnedFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return FileError("open", path);
  if (::fsync(folder.get()) != 0) return FileError("flush", path);
  return {};
}

std::string FolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status WriteAll(const OwnedFd& file, ByteView bytes, std::string_view path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written == 0) errno = EIO;  // no file does this; it must not be tried for ever
    if (written <= 0) return FileError("write", path);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Status LockFile(const OwnedFd& file, std::string_view path, std::string_view holder, std::chrono::milliseconds wait) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return FileError("lock", path);
    if (std::chrono::steady_clock::now() > deadline) {
      return Fail(Reason::kConflict, std::string(holder).append(" ").append(path));
    }
    std::this_thread::sleep_for(kLockPoll);
  }
  return {};
}

}  // namespace pawl
