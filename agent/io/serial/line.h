// A serial line, or a socket that stands for one, as frames and lines of text. Linux; never blocks.
//
// What the child prints for people goes to the log, line by line, as "child: ...".
#pragma once

#include <poll.h>

#include <memory>
#include <string>
#include <vector>

#include "base/hosted/files.h"
#include "base/result.h"
#include "wire/serial/frame.h"

namespace pawl::agent {

inline constexpr std::string_view kSocketPrefix = "unix:";

class SerialLine {
 public:
  // where: a terminal device, taken for this process alone, raw, 8N1, at `baud`; or unix:/path, a listening socket.
  // Errors: unavailable (nobody there, or in use; with the cause), invalid argument (baud).
  static Result<std::unique_ptr<SerialLine>> Open(const std::string& where, std::uint32_t baud);
  // An open descriptor, both ways; made non-blocking.
  explicit SerialLine(OwnedFd fd);

  // Queues a frame. One that finds kMaxQueued bytes still unsent is dropped: its sender asks again.
  void Send(const serial::Payload& payload);
  void AddTo(std::vector<pollfd>& fds) const;
  // Writes and reads what can be without waiting; the payloads that have come.
  // Errors: unavailable (the line is closed).
  Result<std::vector<serial::Payload>> Service();

 private:
  static constexpr std::size_t kMaxQueued = 8 * serial::kMaxFrameBytes;
  static constexpr int kMaxReads = 16;  // in one go: a child that prints without end does not hold up the loop
  static constexpr std::size_t kMaxTextLine = 240;

  Status Write();
  void TakeByte(std::uint8_t byte, std::vector<serial::Payload>& payloads);
  void TakeText(char c);

  OwnedFd fd_;
  std::vector<std::uint8_t> queued_;
  serial::FrameReader reader_;
  std::string text_;  // of the line that is not ended yet
};

}  // namespace pawl::agent
