// Frames on a Unix socket: 4 bytes length, big endian, then that many bytes of JSON.
//
// Blocking  until done or the deadline. Errors: timeout, too large, unavailable (the other side is gone), i/o error.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/hosted/files.h"
#include "base/result.h"

namespace pawl::sign {

inline constexpr std::size_t kMaxFrameBytes = 65536;

using Deadline = std::chrono::steady_clock::time_point;

// The socket must be non-blocking. `stop_fd`, if any, ends the wait with "unavailable" as soon as it is readable.
Result<std::string> ReadFrame(int socket, Deadline deadline, int stop_fd = -1);
Status WriteFrame(int socket, std::string_view content, Deadline deadline);

// A non-blocking connection to a Unix socket. Errors: unavailable, naming the path.
Result<OwnedFd> ConnectUnix(const std::string& path, Deadline deadline);

}  // namespace pawl::sign
