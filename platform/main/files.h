// The data directory: its lock, and files that are whole or not there.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace pawl::platform {

// Errors: i/o error, naming the path.
Status MakeFolder(const std::string& path);  // mode 0700; no error if it is there
// Durable when it returns; a crash leaves the old content or the new one.
Status WriteFile(const std::string& path, std::string_view content, unsigned mode);
// At most 1 MiB. Errors: not found, too large, i/o error.
Result<std::string> ReadFile(const std::string& path);
bool Exists(const std::string& path);

// Held while this process uses the data directory; freed by the kernel when it ends.
class DirectoryLock {
 public:
  // Errors: conflict (another pawld has it; its process id), i/o error.
  static Result<DirectoryLock> Take(const std::string& directory);
  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int file) : file_(file) {}
  int file_;
};

// A program or library that was installed with pawld: beside this program, or in ../lib, ../lib/pawl, ../libexec/pawl.
// Errors: not found, with the places.
Result<std::string> FindBeside(const std::string& name);

}  // namespace pawl::platform
