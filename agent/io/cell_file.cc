#include "agent/io/cell_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace pawl::agent {
namespace {

constexpr std::size_t kCellDistance = 4096;  // the copies in blocks of their own: one torn block harms one copy

}  // namespace

Result<std::unique_ptr<CellFile>> CellFile::Open(const std::string& path, const CellKind& kind) {
  const bool is_new = !FileExists(path);
  OwnedFd opened(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!opened) return FileError("open", path);
  // Its room is taken once, so that no later write can fail for want of space.
  const int full = ::posix_fallocate(opened.get(), 0, 2 * kCellDistance);
  if (full != 0) {
    errno = full;
    return FileError("reserve room for", path);
  }
  if (is_new) {
    if (::fsync(opened.get()) != 0) return FileError("flush", path);
    PAWL_TRY(SyncFolder(FolderOf(path)));
  }
  std::unique_ptr<CellFile> file(new CellFile(std::move(opened), path, kind));
  PAWL_TRY(file->Load());
  return file;
}

Status CellFile::Load() {
  std::array<CellBytes, 2> copies{};
  for (std::size_t i = 0; i < copies.size(); ++i) {
    const auto offset = static_cast<off_t>(i * kCellDistance);
    if (::pread(file_.get(), copies[i].data(), copies[i].size(), offset) < 0) return FileError("read", path_);
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
  if (::pwrite(file_.get(), bytes.data(), bytes.size(), offset) != static_cast<ssize_t>(bytes.size())) {
    return FileError("write", path_);
  }
  if (durable && ::fdatasync(file_.get()) != 0) return FileError("flush", path_);
  newest_ = cell;
  place_ = 1 - place_;
  return {};
}

}  // namespace pawl::agent
