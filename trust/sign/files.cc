#include "trust/sign/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace pawl::sign {
namespace {

Status WriteAll(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FailErrno("write " + path, errno == ENOSPC ? Reason::kNoSpace : Reason::kIo);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

std::string FolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

std::unexpected<Error> FailErrno(std::string_view what, Reason reason) {
  BoundedText<240> detail(what);
  return Fail(reason, detail.append(": ").append(std::strerror(errno)));
}

Result<std::string> ReadSmallFile(const std::string& path, std::size_t max_bytes) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) return FailErrno("open " + path, errno == ENOENT ? Reason::kNotFound : Reason::kIo);
  std::string content(max_bytes + 1, '\0');
  std::size_t size = 0;
  while (size < content.size()) {
    const ssize_t got = read(fd.get(), content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailErrno("read " + path);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > max_bytes) return Fail(Reason::kTooLarge, path + " is over its limit of " + std::to_string(max_bytes));
  content.resize(size);
  return content;
}

Status WriteFileAtomically(const std::string& path, std::string_view content, mode_t mode) {
  const std::string temporary = path + ".tmp";
  if (unlink(temporary.c_str()) != 0 && errno != ENOENT) return FailErrno("remove " + temporary);
  {
    const Fd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!fd) return FailErrno("create " + temporary);
    PAWL_TRY(WriteAll(fd.get(), content, temporary));
    if (fsync(fd.get()) != 0) return FailErrno("flush " + temporary);
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) return FailErrno("rename " + temporary);
  return SyncFolder(FolderOf(path));
}

Status EnsurePrivateFolder(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0) return SyncFolder(FolderOf(path));
  if (errno != EEXIST) return FailErrno("make the folder " + path);
  struct stat facts{};
  if (stat(path.c_str(), &facts) != 0) return FailErrno("look at " + path);
  if (!S_ISDIR(facts.st_mode)) return Fail(Reason::kConflict, path + " is no folder");
  return {};
}

Status SyncFolder(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return FailErrno("open " + path);
  if (fsync(fd.get()) != 0) return FailErrno("flush " + path);
  return {};
}

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

}  // namespace pawl::sign
