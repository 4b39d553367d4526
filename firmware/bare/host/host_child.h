// A HostMachine behind a stream socket, in real time, with a watchdog: what a gateway's serial line leads to. For tests
// that need no emulated machine. Linux.
#pragma once

#include <atomic>
#include <string>

#include "firmware/bare/host/host_machine.h"

namespace pawl::firmware {

class HostChild final : private ChildPort {
 public:
  // fd: of a connected stream socket; stays the caller's.
  HostChild(const HostMachine::Setup& setup, int fd);

  // Powers the machine on and runs it until `stop`, or until the other end of the line is closed. Resets are its own
  // affair.
  void Run(const std::atomic<bool>& stop);
  // While Run does not run: what was printed, frames left out.
  const std::string& text() const { return text_; }
  std::uint64_t starts() const { return starts_; }
  HostMachine& machine() { return machine_; }

 private:
  void Send(const serial::Frame& frame) override;
  void Print(std::string_view text) override;
  void Feed() override;
  bool ReadLine();  // false: the other end is closed
  void Start(ResetCause cause);
  void Watch();

  HostMachine machine_;
  int fd_;
  std::string text_;
  std::uint64_t starts_ = 0;
  std::uint64_t fed_ms_ = 0;
  std::uint32_t watchdog_ms_;
  bool open_ = true;
};

}  // namespace pawl::firmware
