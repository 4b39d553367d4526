#include "agent/io/log.h"

#include <unistd.h>

#include <string>

namespace pawl::agent {
namespace {

constexpr std::size_t kMaxLine = 1024;

}  // namespace

void Log(std::string_view line) {
  std::string text(line.substr(0, kMaxLine));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  text += '\n';
  // A log that cannot be written is nobody's error.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

void LogError(std::string_view what, const Error& error) {
  std::string line(what);
  line.append(": ").append(Text(error.reason));
  if (!error.detail.empty()) line.append(": ").append(error.detail.view());
  Log(line);
}

}  // namespace pawl::agent
