#include "slots/file/file_flash.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace pawl {
namespace {

std::unexpected<Error> SystemError(std::string_view what, const std::string& path) {
  Error error{Reason::kIo, std::string_view(path)};
  error.detail.append(": ").append(what).append(": ").append(std::strerror(errno));
  return std::unexpected(error);
}

Result<std::uint64_t> SizeOf(int fd, const std::string& path) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return SystemError("fstat", path);
  if (S_ISREG(info.st_mode)) return static_cast<std::uint64_t>(info.st_size);
  std::uint64_t bytes = 0;
  if (S_ISBLK(info.st_mode) && ::ioctl(fd, BLKGETSIZE64, &bytes) == 0) return bytes;
  return Fail(Reason::kInvalidArgument, path + " is neither a file nor a block device");
}

std::unexpected<Error> WrongSize(const std::string& path, std::uint64_t bytes, const FileFlash::Options& options) {
  Error error{Reason::kInvalidArgument, std::string_view(path)};
  error.detail.append(" holds ").append_number(bytes).append(" bytes; it must hold ");
  if (options.bytes != 0) {
    error.detail.append_number(options.bytes);
  } else {
    error.detail.append("whole sectors of ").append_number(options.sector_bytes);
  }
  return std::unexpected(error);
}

bool WriteAllAt(int fd, std::uint64_t offset, ByteView from) {
  while (!from.empty()) {
    const ssize_t n = ::pwrite(fd, from.data(), from.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    from = from.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<FileFlash>> FileFlash::Open(const std::string& path, const Options& options) {
  OwnedFd file(::open(path.c_str(), (options.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC));
  if (!file) return SystemError("open", path);
  std::unique_ptr<FileFlash> flash(new FileFlash(std::move(file), path, options, 0));
  PAWL_ASSIGN(flash->bytes_, SizeOf(flash->fd(), path));
  const bool right = options.bytes != 0 ? flash->bytes_ == options.bytes : flash->bytes_ != 0;
  if (!right || flash->bytes_ % options.sector_bytes != 0) return WrongSize(path, flash->bytes_, options);
  return flash;
}

FileFlash::FileFlash(OwnedFd file, std::string path, const Options& options, std::uint64_t bytes)
    : file_(std::move(file)), path_(std::move(path)), options_(options), bytes_(bytes) {}

Status FileFlash::CheckRange(std::uint64_t offset, std::uint64_t size) const {
  if (offset <= bytes_ && size <= bytes_ - offset) return {};
  return Fail(Reason::kInvalidArgument, path_ + ": outside the flash region");
}

Status FileFlash::Read(std::uint64_t offset, MutableBytes to) {
  PAWL_TRY(CheckRange(offset, to.size()));
  while (!to.empty()) {
    const ssize_t n = ::pread(fd(), to.data(), to.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError("read", path_);
    if (n == 0) return Fail(Reason::kIo, path_ + ": the file became shorter");
    to = to.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

Status FileFlash::Program(std::uint64_t offset, ByteView from) {
  PAWL_TRY(CheckRange(offset, from.size()));
  if (options_.rule == Rule::kNor) {
    std::vector<std::uint8_t> old(from.size());
    PAWL_TRY(Read(offset, old));
    for (std::size_t i = 0; i < from.size(); ++i) {
      if ((from[i] & ~old[i]) != 0) return Fail(Reason::kInvalidArgument, path_ + ": program over bits that are clear");
    }
  }
  return WriteAllAt(fd(), offset, from) ? Status{} : SystemError("write", path_);
}

Status FileFlash::Erase(std::uint64_t sector) {
  if (sector >= bytes_ / options_.sector_bytes) return Fail(Reason::kInvalidArgument, path_ + ": no such sector");
  const std::vector<std::uint8_t> blank(options_.sector_bytes, 0xFF);
  return WriteAllAt(fd(), sector * options_.sector_bytes, blank) ? Status{} : SystemError("write", path_);
}

Status FileFlash::Flush() { return ::fdatasync(fd()) == 0 ? Status{} : SystemError("fdatasync", path_); }

}  // namespace pawl
