// The process that an image runs as, and everything that it started: a reset ends all of them. Linux.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "slots/file/machine_line.h"

namespace pawl {

struct ImageStart {
  int image_fd;            // sealed memory file: executed as it is, never by a path
  int line_fd;             // the image's end of the machine line
  int serial_fd;           // its standard output and error
  std::string device_dir;  // absolute; its working directory
};
// Starts the image as the leader of its own process group. It dies with this process. Errors: i/o error.
// Precondition: this process has one thread.
Result<pid_t> StartImage(const ImageStart& start);

// Makes orphans of the image children of this process, so that EndDescendants finds them. Errors: i/o error.
Status AdoptOrphans();

// Ends the image's process group and every descendant of this process, and reaps them. Errors: timeout (something
// survives SIGKILL).
Status EndDescendants(pid_t image);

// Ends what a killed machine left behind: processes whose environment names this very device directory and a machine
// line. Errors: timeout.
Status EndLeftovers(const std::string& device_dir);

}  // namespace pawl
