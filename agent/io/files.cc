#include "agent/io/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "slots/file/machine_line.h"

namespace pawl::agent {
namespace {

constexpr std::size_t kCellDistance = 4096;  // the copies in blocks of their own: one torn block harms one copy

std::string FolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

bool WriteAll(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

Status SyncFolder(const std::string& path) {
  const OwnedFd folder(::open(FolderOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || ::fsync(folder.get()) != 0) return FileError("fsync", FolderOf(path));
  return {};
}

}  // namespace

std::unexpected<Error> FileError(std::string_view what, const std::string& path) {
  Reason reason = Reason::kIo;
  if (errno == ENOENT) reason = Reason::kNotFound;
  if (errno == ENOSPC || errno == EDQUOT) reason = Reason::kNoSpace;
  Error error{reason, std::string_view(path)};
  error.detail.append(": ").append(what).append(": ").append(std::strerror(errno));
  return std::unexpected(error);
}

Result<std::vector<std::uint8_t>> ReadFile(const std::string& path, std::size_t bytes_max) {
  const OwnedFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return FileError("open", path);
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return FileError("stat", path);
  if (static_cast<std::uint64_t>(info.st_size) > bytes_max) return Fail(Reason::kTooLarge, path);
  std::vector<std::uint8_t> content(static_cast<std::size_t>(info.st_size));
  std::size_t have = 0;
  while (have < content.size()) {
    const ssize_t n = ::read(file.get(), content.data() + have, content.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FileError("read", path);
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  content.resize(have);
  return content;
}

bool FileExists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Status WriteFileDurably(const std::string& path, ByteView content, unsigned mode) {
  const std::string temporary = path + ".new";
  {
    const OwnedFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    if (file.get() < 0) return FileError("create", temporary);
    if (::fchmod(file.get(), mode) != 0) return FileError("chmod", temporary);
    if (!WriteAll(file.get(), content)) return FileError("write", temporary);
    if (::fsync(file.get()) != 0) return FileError("fsync", temporary);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return FileError("rename", path);
  return SyncFolder(path);
}

Status RemoveFile(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return FileError("remove", path);
  return SyncFolder(path);
}

// --- CellFile ---

CellFile::~CellFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::unique_ptr<CellFile>> CellFile::Open(const std::string& path, const CellKind& kind) {
  const bool is_new = !FileExists(path);
  std::unique_ptr<CellFile> file(new CellFile(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644), path, kind));
  if (file->fd_ < 0) return FileError("open", path);
  // Its room is taken once, so that no later write can fail for want of space.
  const int full = ::posix_fallocate(file->fd_, 0, 2 * kCellDistance);
  if (full != 0) {
    errno = full;
    return FileError("reserve room", path);
  }
  if (is_new) {
    if (::fsync(file->fd_) != 0) return FileError("fsync", path);
    PAWL_TRY(SyncFolder(path));
  }
  PAWL_TRY(file->Load());
  return file;
}

Status CellFile::Load() {
  std::array<CellBytes, 2> copies{};
  for (std::size_t i = 0; i < copies.size(); ++i) {
    const auto offset = static_cast<off_t>(i * kCellDistance);
    if (::pread(fd_, copies[i].data(), copies[i].size(), offset) < 0) return FileError("read", path_);
  }
  PAWL_ASSIGN(newest_, NewestCell(kind_, copies[0], copies[1]));
  const auto first = DecodeCell(kind_, copies[0]);
  place_ = first && newest_ && first->generation == newest_->generation ? 1 : 0;
  return {};
}

Status CellFile::Store(const CellPayload& payload, bool durable) {
  const Cell cell{newest_ ? newest_->generation + 1 : 1, payload};
  const CellBytes bytes = EncodeCell(kind_, cell);
  const auto offset = static_cast<off_t>(place_ * kCellDistance);
  if (::pwrite(fd_, bytes.data(), bytes.size(), offset) != static_cast<ssize_t>(bytes.size())) {
    return FileError("write", path_);
  }
  if (durable && ::fdatasync(fd_) != 0) return FileError("fdatasync", path_);
  newest_ = cell;
  place_ = 1 - place_;
  return {};
}

}  // namespace pawl::agent
