// What the program stands in: terminal or pipe, its width, colours; and Ctrl-C.
//
// Threads: one. Standard output carries results alone, standard error everything else.
#pragma once

#include <string>
#include <string_view>

namespace pawl::cli {

enum class Colour { kPlain, kGood, kBad, kBusy, kDim, kStrong };

struct Terminal {
  bool json = false;  // --json
  bool out_is_tty = false;
  bool err_is_tty = false;
  bool colours = false;     // a terminal, and neither NO_COLOR nor TERM=dumb
  std::size_t columns = 0;  // of standard output's terminal; 0: no limit

  // Looks at the process's streams and environment.
  static Terminal Detect(bool json);

  std::string Paint(std::string_view text, Colour colour) const;
  // A line on standard error, for people; nothing with --json.
  void Note(std::string_view line) const;
};

// Writes to standard output. False: nobody reads it any more.
bool Print(std::string_view text);

// From here on Ctrl-C and SIGTERM are noted and leave the program time to tidy up; the second Ctrl-C ends it at once.
void CatchInterrupts();
bool Interrupted();
// Waits, or less if interrupted.
void Pause(int milliseconds);

}  // namespace pawl::cli
