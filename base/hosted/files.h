// Small files that are whole or not there, and what else every program here needs of a POSIX file system.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace pawl {

// A file descriptor that closes itself.
class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept;
  ~OwnedFd();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// errno as an Error, "<what>: <its text>". Without a reason: not found, no space, or i/o error.
std::unexpected<Error> FailErrno(std::string_view what);
std::unexpected<Error> FailErrno(std::string_view what, Reason reason);
// The same, "cannot <what> <path>: <its text>".
std::unexpected<Error> FileError(std::string_view what, std::string_view path);

// Errors: not found, too large, i/o error; each names the path.
Result<std::string> ReadFile(const std::string& path, std::size_t bytes_max = 65536);
// The same of a file that is open, from its position on.
Result<std::string> ReadAll(const OwnedFd& file, std::string_view path, std::size_t bytes_max);
// The new content or the old, whatever happens: temporary file, fsync, rename, fsync of the folder. `mode` is what the
// file gets, whatever the umask says. Errors: i/o error, no space.
Status WriteFileDurably(const std::string& path, ByteView content, unsigned mode);
Status WriteFileDurably(const std::string& path, std::string_view content, unsigned mode);
// No error if there is none.
Status RemoveFile(const std::string& path);
bool FileExists(const std::string& path);

// Makes the folder, mode 0700, if it is missing; its parent must exist. Errors: conflict (a file has its name), i/o
// error.
Status MakePrivateFolder(const std::string& path);
// Makes what was renamed, made or removed in the folder durable.
Status SyncFolder(const std::string& path);
// "." for a bare name.
std::string FolderOf(const std::string& path);

// Writes all of it at the file's position. Errors: i/o error, no space; they name the path.
Status WriteAll(const OwnedFd& file, ByteView bytes, std::string_view path);

// How long to wait for a process that has just ended. One that is killed between fork and exec leaves a copy of itself
// with its locks for a moment; one that stops in peace has them until its end.
inline constexpr std::chrono::milliseconds kPredecessorWait{3000};

// An exclusive flock, held until the file is closed.
// Errors: conflict ("<holder> <path>", where `holder` is such as "another pawld uses"), i/o error.
Status LockFile(const OwnedFd& file, std::string_view path, std::string_view holder,
                std::chrono::milliseconds wait = kPredecessorWait);

}  // namespace pawl
