#include "boot/port/host/serial_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "boot/port/host/device_dir.h"

namespace pawl {
namespace {

OwnedFd OpenForAppending(const std::string& path) {
  return OwnedFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
}

}  // namespace

std::string TimeStamp() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  char text[64];
  const std::size_t size = ::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + size, sizeof(text) - size, ".%03ldZ", now.tv_nsec / 1'000'000);
  return text;
}

Result<SerialLog> SerialLog::Open(const std::string& path) {
  OwnedFd fd = OpenForAppending(path);
  struct stat info{};
  if (fd.get() < 0 || ::fstat(fd.get(), &info) != 0) {
    return FailWith(Reason::kIo, {path, ": cannot be opened"}, errno);
  }
  return SerialLog(path, std::move(fd), static_cast<std::uint64_t>(info.st_size));
}

void SerialLog::Write(std::string_view line) {
  if (bytes_ >= kSerialLogBytes && ::rename(path_.c_str(), (path_ + ".1").c_str()) == 0) {
    fd_ = OpenForAppending(path_);
    bytes_ = 0;
  }
  std::string text = TimeStamp() + " ";
  for (const char c : line.substr(0, kSerialLineBytes)) text += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  text += '\n';
  const ssize_t written = ::write(fd_.get(), text.data(), text.size());
  if (written > 0) bytes_ += static_cast<std::uint64_t>(written);
}

void LineSplitter::Add(std::string_view bytes, const Sink& sink) {
  for (const char c : bytes) {
    if (c == '\n') {
      sink(line_);
      line_.clear();
    } else if (line_.size() < kSerialLineBytes) {
      line_ += c;
    }
  }
}

void LineSplitter::Finish(const Sink& sink) {
  if (!line_.empty()) sink(line_);
  line_.clear();
}

}  // namespace pawl
