// What a board gives the agent: the bootloader's hand-off, the hardware watchdog, the reset line.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "slots/file/machine_line.h"

namespace pawl::agent {

class Board {
 public:
  Board() = default;
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;
  virtual ~Board() = default;

  virtual const HandOff& hand_off() const = 0;
  // Starts the watchdog's window again. Errors: i/o error.
  virtual Status Feed() = 0;
  // Asks for a reset. It comes from outside, soon. Errors: i/o error.
  virtual Status Reset() = 0;
};

// A virtual machine's registers, behind its line.
class MachineBoard final : public Board {
 public:
  explicit MachineBoard(MachineLine line) : line_(std::move(line)) {}
  const HandOff& hand_off() const override { return line_.hand_off(); }
  Status Feed() override { return line_.Feed(); }
  Status Reset() override { return line_.Reset(); }

 private:
  MachineLine line_;
};

// A Linux system: /dev/watchdog, a reboot command; the bootloader leaves its hand-off on the kernel's command line.
class LinuxBoard final : public Board {
 public:
  // watchdog_device: empty: none. Errors: i/o error (the watchdog cannot be opened).
  static Result<std::unique_ptr<LinuxBoard>> Open(const HandOff& hand_off, const std::string& watchdog_device,
                                                  std::vector<std::string> reboot_command);
  const HandOff& hand_off() const override { return hand_off_; }
  Status Feed() override;
  Status Reset() override;

 private:
  LinuxBoard(const HandOff& hand_off, OwnedFd watchdog, std::vector<std::string> reboot_command)
      : hand_off_(hand_off), watchdog_(std::move(watchdog)), reboot_command_(std::move(reboot_command)) {}
  HandOff hand_off_;
  OwnedFd watchdog_;
  std::vector<std::string> reboot_command_;
};

// "pawl.handoff=A,normal,power,0,3,60000": slot, mode, cause, trial, security version, watchdog window in ms; among
// other words. Errors: not found, malformed.
Result<HandOff> ParseHandOff(std::string_view command_line);

}  // namespace pawl::agent
