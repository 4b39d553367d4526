// Small files, read bounded and written so that a crash leaves the old or the new content, never a torn one.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace pawl::sign {

// Owns a file descriptor.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

// Fails with `reason` and "<what>: <text of errno>".
std::unexpected<Error> FailErrno(std::string_view what, Reason reason = Reason::kIo);

// Errors: not found, too large, i/o error; each names the path.
Result<std::string> ReadSmallFile(const std::string& path, std::size_t max_bytes = 65536);

// Writes a temporary beside it, flushes, renames, flushes the folder.
Status WriteFileAtomically(const std::string& path, std::string_view content, mode_t mode);

// Makes the folder (mode 0700) if it is missing; its parent must exist.
Status EnsurePrivateFolder(const std::string& path);

// Makes what was renamed, made or removed in the folder durable.
Status SyncFolder(const std::string& path);

bool Exists(const std::string& path);

}  // namespace pawl::sign
