#include "cli/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace pawl::cli {
namespace {

volatile std::sig_atomic_t interrupted = 0;

std::string_view Code(Colour colour) {
  switch (colour) {
    case Colour::kGood:
      return "\x1b[32m";
    case Colour::kBad:
      return "\x1b[31m";
    case Colour::kBusy:
      return "\x1b[33m";
    case Colour::kDim:
      return "\x1b[2m";
    case Colour::kStrong:
      return "\x1b[1m";
    case Colour::kPlain:
      break;
  }
  return {};
}

bool ColoursWanted() {
  const char* none = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return (none == nullptr || *none == '\0') && (term == nullptr || std::string_view(term) != "dumb");
}

std::size_t WindowColumns() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

}  // namespace

Terminal Terminal::Detect(bool json) {
  Terminal terminal;
  terminal.json = json;
  terminal.out_is_tty = ::isatty(STDOUT_FILENO) == 1;
  terminal.err_is_tty = ::isatty(STDERR_FILENO) == 1;
  terminal.colours = terminal.out_is_tty && ColoursWanted();
  if (terminal.out_is_tty) terminal.columns = WindowColumns();
  return terminal;
}

std::string Terminal::Paint(std::string_view text, Colour colour) const {
  if (!colours || colour == Colour::kPlain) return std::string(text);
  return std::string(Code(colour)).append(text).append("\x1b[0m");
}

void Terminal::Note(std::string_view line) const {
  if (json) return;
  std::fflush(stdout);
  std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
}

bool Print(std::string_view text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
}

void CatchInterrupts() {
  struct sigaction action{};
  action.sa_handler = [](int) { interrupted = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

bool Interrupted() { return interrupted != 0; }

void Pause(int milliseconds) {
  if (!Interrupted()) ::poll(nullptr, 0, milliseconds);
}

}  // namespace pawl::cli
