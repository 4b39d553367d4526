#include "cli/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace pawl::cli {
namespace {

constexpr std::size_t kMaxSmallFile = 65536;

std::unexpected<Failure> Cannot(std::string_view what, const std::filesystem::path& path, std::string remedy) {
  const int error = errno;
  return Fail(Exit::kUsage, "cannot " + std::string(what) + " " + path.string() + ": " + std::strerror(error),
              std::move(remedy));
}

}  // namespace

Outcome<PrivateFile> PrivateFile::Create(const std::filesystem::path& path, bool replace) {
  std::error_code ignored;
  if (!replace && std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) {
    return Fail(Exit::kRefused, path.string() + " exists already", "move it away, or name another file with --out");
  }
  std::string temporary = path.string() + ".XXXXXX";
  const int descriptor = ::mkostemp(temporary.data(), O_CLOEXEC);  // mode 0600
  if (descriptor < 0) return Cannot("write", path, "name a file in a folder that you may write, with --out");
  return PrivateFile(path, std::move(temporary), descriptor, replace);
}

PrivateFile::PrivateFile(PrivateFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      replace_(other.replace_) {}

PrivateFile::~PrivateFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

Done PrivateFile::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return Cannot("write", path_, "free space, or name another file with --out");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Done PrivateFile::Commit() {
  if (::fsync(descriptor_) != 0) return Cannot("write", path_, "check the disk");
  // link fails where a file has appeared meanwhile; rename replaces it.
  const int named = replace_ ? ::rename(temporary_.c_str(), path_.c_str()) : ::link(temporary_.c_str(), path_.c_str());
  if (named != 0) return Cannot("write", path_, "name another file with --out");
  if (!replace_) ::unlink(temporary_.c_str());
  ::close(std::exchange(descriptor_, -1));
  return {};
}

Outcome<std::string> ReadSmallFile(const std::filesystem::path& path) {
  const bool standard_input = path == "-";
  const int descriptor = standard_input ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return Cannot("read", path, "check the name");
  std::string text;
  std::array<char, 4096> block;
  ssize_t got = 0;
  while ((got = ::read(descriptor, block.data(), block.size())) > 0 && text.size() <= kMaxSmallFile) {
    text.append(block.data(), static_cast<std::size_t>(got));
  }
  const int error = errno;
  ::close(descriptor);
  errno = error;
  if (got < 0) return Cannot("read", path, "check the name");
  if (text.size() > kMaxSmallFile) return Fail(Exit::kUsage, path.string() + " is too large", "check the name");
  return text;
}

}  // namespace pawl::cli
