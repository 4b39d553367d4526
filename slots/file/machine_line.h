// The line between a machine and the image that it runs: a SOCK_SEQPACKET socket pair, one packet a message. Linux.
// It stands for registers: what the bootloader left in memory, the watchdog's feed register, the reset register.
//
// Format  machine -> image, once: the hand-off (slots/handoff.h)
//         image -> machine:       "PMC1" | kind u32 (1 feed, 2 reset)            little endian, exact sizes
#pragma once

#include <optional>
#include <utility>

#include "base/hosted/files.h"
#include "base/result.h"
#include "slots/handoff.h"

namespace pawl {

inline constexpr const char* kMachineLineVariable = "PAWL_MACHINE_FD";
inline constexpr const char* kDeviceDirVariable = "PAWL_DEVICE_DIR";

enum class MachineRequest : std::uint8_t { kFeed = 1, kReset = 2 };

using RequestPacket = std::array<std::uint8_t, 8>;
RequestPacket EncodeRequest(MachineRequest request);
// Errors: malformed, unsupported version.
Result<MachineRequest> DecodeRequest(ByteView packet);

// The image's end. Threads: Feed and Reset from any one at a time.
class MachineLine {
 public:
  // Takes the descriptor that PAWL_MACHINE_FD names (its children do not inherit it) and receives the hand-off.
  // Errors: not found (not started by a machine), timeout (no hand-off), malformed, i/o error.
  static Result<MachineLine> FromEnvironment();
  static Result<MachineLine> FromFd(OwnedFd fd);

  const HandOff& hand_off() const { return hand_off_; }
  // Starts the watchdog's window again. Errors: i/o error (the machine is gone).
  Status Feed();
  // Asks for a software reset. It comes from outside: the caller waits to be ended.
  Status Reset();

 private:
  MachineLine(OwnedFd fd, const HandOff& hand_off) : fd_(std::move(fd)), hand_off_(hand_off) {}
  Status Send(MachineRequest request);

  OwnedFd fd_;
  HandOff hand_off_;
};

// The machine's end.
class MachineEnd {
 public:
  struct Pair;
  static Result<Pair> Make();

  Status Send(const HandOff& hand_off);
  // The next request that waits, or nothing. Errors: malformed (that packet is gone), i/o error (the image's end is
  // closed).
  Result<std::optional<MachineRequest>> Receive();
  int fd() const { return fd_.get(); }  // readable when a request waits

 private:
  explicit MachineEnd(OwnedFd fd) : fd_(std::move(fd)) {}
  OwnedFd fd_;
};
struct MachineEnd::Pair {
  MachineEnd machine;
  OwnedFd image;
};

}  // namespace pawl
