// serial.log: what bootloader and firmware print, each line with the time.
//
// Format  one line each: 2026-01-31T12:00:00.123Z and the text; bytes below a space are shown as '?'.
// Limits  a line is cut at kSerialLineBytes; at kSerialLogBytes the file becomes serial.log.1, and a new one begins.
#pragma once

#include <functional>
#include <string>

#include "base/hosted/files.h"
#include "base/result.h"

namespace pawl {

inline constexpr std::size_t kSerialLineBytes = 4096;
inline constexpr std::uint64_t kSerialLogBytes = 8 << 20;

// The time now, UTC, as in the log.
std::string TimeStamp();

class SerialLog {
 public:
  // Errors: i/o error, naming the file.
  static Result<SerialLog> Open(const std::string& path);
  // Best effort: a full disk must not stop the machine.
  void Write(std::string_view line);

 private:
  SerialLog(std::string path, OwnedFd fd, std::uint64_t bytes)
      : path_(std::move(path)), fd_(std::move(fd)), bytes_(bytes) {}
  std::string path_;
  OwnedFd fd_;
  std::uint64_t bytes_;
};

// Cuts a stream of bytes into lines.
class LineSplitter {
 public:
  using Sink = std::function<void(std::string_view line)>;
  void Add(std::string_view bytes, const Sink& sink);
  void Finish(const Sink& sink);  // what is left without its end of line

 private:
  std::string line_;
};

}  // namespace pawl
