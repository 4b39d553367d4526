// Files that only their owner may read, written whole or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "cli/outcome.h"

namespace pawl::cli {

// A file in the making: private, under a temporary name in the same folder, so that it is known to be writable before
// the thing that it is for exists. Destroyed without Commit, it leaves nothing behind.
class PrivateFile {
 public:
  // Failures: kUsage (the folder cannot be written); kRefused (the file exists and `replace` is false).
  static Outcome<PrivateFile> Create(const std::filesystem::path& path, bool replace);
  ~PrivateFile();
  PrivateFile(PrivateFile&& other) noexcept;
  PrivateFile& operator=(PrivateFile&&) = delete;

  Done Write(std::string_view bytes);
  // Flushes it to the disk and gives it its name.
  Done Commit();
  const std::filesystem::path& path() const { return path_; }

 private:
  PrivateFile(std::filesystem::path path, std::string temporary, int descriptor, bool replace)
      : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor), replace_(replace) {}

  std::filesystem::path path_;
  std::string temporary_;
  int descriptor_ = -1;
  bool replace_ = false;
};

// The whole of a small file; "-": standard input. Failures: kUsage (cannot be read, or over 64 KiB).
Outcome<std::string> ReadSmallFile(const std::filesystem::path& path);

}  // namespace pawl::cli
