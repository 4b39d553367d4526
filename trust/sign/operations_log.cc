#include "trust/sign/operations_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>

namespace pawl::sign {
namespace {

constexpr std::size_t kMaxLineBytes = 4096;

// The number of the last whole line in `tail`; 0 if there is none.
Result<std::uint64_t> LastNumber(std::string_view tail) {
  const std::size_t end = tail.rfind('\n');
  if (end == std::string_view::npos) return 0;
  const std::size_t before = end == 0 ? std::string_view::npos : tail.rfind('\n', end - 1);
  const std::string_view line = tail.substr(before + 1, end - before - 1);
  std::uint64_t number = 0;
  if (!line.starts_with("n=") ||
      std::from_chars(line.data() + 2, line.data() + line.size(), number).ec != std::errc()) {
    return Fail(Reason::kCorrupt, "its last line does not begin with n=NUMBER");
  }
  return number;
}

Status WriteLine(int fd, std::string_view line, const std::string& path) {
  const ssize_t written = write(fd, line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size())) return {};
  return FailErrno("write " + path, written >= 0 || errno == ENOSPC ? Reason::kNoSpace : Reason::kIo);
}

}  // namespace

std::string UtcText(std::uint64_t seconds_since_1970) {
  const auto time = static_cast<std::time_t>(seconds_since_1970);
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

Result<std::unique_ptr<OperationsLog>> OperationsLog::Open(const std::string& path) {
  OwnedFd file(open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return FileError("open", path);
  struct stat facts{};
  if (fstat(file.get(), &facts) != 0) return FileError("look at", path);
  std::string tail(std::min<std::size_t>(static_cast<std::size_t>(facts.st_size), 2 * kMaxLineBytes), '\0');
  const off_t from = facts.st_size - static_cast<off_t>(tail.size());
  if (pread(file.get(), tail.data(), tail.size(), from) != static_cast<ssize_t>(tail.size()))
    return FileError("read", path);
  const auto number = LastNumber(tail);
  if (!number) return Fail(number.error().reason, path + ": " + std::string(number.error().detail.view()));
  // A torn line: its signature never left.
  if (!tail.empty() && tail.back() != '\n') PAWL_TRY(WriteLine(file.get(), " torn\n", path));
  return std::unique_ptr<OperationsLog>(new OperationsLog(std::move(file), path, *number));
}

Status OperationsLog::Append(std::string_view operation, std::string_view facts, Durability durability) {
  const std::scoped_lock lock(mutex_);
  std::string line =
      "n=" + std::to_string(count_ + 1) + " at=" + UtcText(static_cast<std::uint64_t>(std::time(nullptr)));
  line.append(" op=").append(operation).append(" ").append(facts);
  line.resize(std::min(line.size(), kMaxLineBytes - 1));
  line += '\n';
  PAWL_TRY(WriteLine(file_.get(), line, path_));
  ++count_;
  if (durability == Durability::kPowerLoss && fdatasync(file_.get()) != 0) return FileError("flush", path_);
  return {};
}

std::uint64_t OperationsLog::count() {
  const std::scoped_lock lock(mutex_);
  return count_;
}

}  // namespace pawl::sign
