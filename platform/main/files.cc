#include "platform/main/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

namespace pawl::platform {

Result<OwnedFd> LockDataDirectory(const std::string& directory) {
  const std::string path = directory + "/pawld.lock";
  OwnedFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return FileError("open", path);
  const Status locked = LockFile(lock, path, "another process holds");
  if (!locked && locked.error().reason == Reason::kConflict) {
    const auto holder = ReadFile(path);
    const std::string who = holder && !holder->empty() ? "process " + *holder : "another process";
    return Fail(Reason::kConflict,
                who + " uses the data directory " + directory + " already: stop it, or choose another --data");
  }
  PAWL_TRY(locked);
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(lock.get(), 0) != 0 || ::pwrite(lock.get(), pid.data(), pid.size(), 0) < 0)
    return FileError("write", path);
  return lock;
}

Result<std::string> FindBeside(const std::string& name) {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return Fail(Reason::kIo, "cannot tell where pawld lies: " + error.message());
  const auto folder = program.parent_path();
  for (const char* place : {".", "../lib", "../lib/pawl", "../libexec/pawl"}) {
    const std::string path = (folder / place / name).lexically_normal().string();
    if (FileExists(path)) return path;
  }
  return Fail(Reason::kNotFound,
              name + " is neither in " + folder.string() + " nor in ../lib, ../lib/pawl, ../libexec/pawl beside it");
}

}  // namespace pawl::platform
