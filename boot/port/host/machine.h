// The machine: power, reset line and hardware watchdog around files that are ROM and flash. It boots with the boot core
// and runs the image that was verified. Linux, one thread.
//
// Signals  SIGTERM, SIGINT: power off, Run returns. SIGUSR1: the power fails and returns at once. SIGUSR2: the power
//          fails and stays off until the next SIGUSR2.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "boot/core/boot.h"
#include "boot/port/host/device_dir.h"
#include "boot/port/host/memory_slots.h"
#include "boot/port/host/serial_log.h"

namespace pawl {

// What happened, for people (text) and programs (name and fields).
struct MachineEvent {
  using Field = std::pair<std::string_view, std::string>;
  std::string_view name;  // power, slot, rollback, emergency, boot, recovery, ended, wait, warning, refused, serial
  std::string text;
  std::vector<Field> fields;
};
using MachineSink = std::function<void(const MachineEvent&)>;

enum class MachineExit : std::uint8_t {
  kPoweredOff = 0,
  kRefused = 2,   // ROM missing, writable or altered
  kRecovery = 3,  // nothing bootable; only with `once`
};

class Machine {
 public:
  struct Options {
    std::string dir;
    bool once = false;  // return when the first image has ended, or in recovery
  };
  // Takes the device for this process. Errors: not found (no device here), conflict (another machine runs it),
  // malformed, i/o error.
  static Result<std::unique_ptr<Machine>> Open(const Options& options, MachineSink sink);

  // Errors: i/o error (flash or log cannot be opened), timeout (a process of the image cannot be ended).
  Result<MachineExit> Run();

 private:
  using Clock = std::chrono::steady_clock;
  enum class End : std::uint8_t { kWatchdog, kSoftware, kByItself, kPowerCut, kPowerGone, kStop, kRecovery };
  struct Running;

  Machine(const Options& options, const MachineConfig& config, DevicePaths paths, OwnedFd lock, OwnedFd signals,
          SerialLog serial, MachineSink sink);
  void Tell(const MachineEvent& event);
  void TellSlots(const Booted& booted);
  void TellChanges(const Booted& booted);
  void TellBoot(const Booted& booted);
  Result<End> Boot(const Rom& rom);
  Result<End> RunImage(int image_fd, const HandOff& hand_off);
  End Supervise(Running& running);
  void ReadSerial(Running& running);
  std::optional<End> ReadRequests(Running& running);
  std::optional<End> ReapChildren(Running& running);
  std::optional<End> ReadSignals();
  std::optional<End> WaitForSignal(std::optional<Clock::time_point> until);
  std::optional<End> WaitForPower();
  std::optional<End> BackOff(Clock::duration ran);

  Options options_;
  MachineConfig config_;
  DevicePaths paths_;
  OwnedFd lock_;
  OwnedFd signals_;
  SerialLog serial_;
  MachineSink sink_;
  ResetCause cause_ = ResetCause::kPower;
  Clock::duration ran_{};    // how long the last image ran
  unsigned quick_ends_ = 0;  // in a row
};

}  // namespace pawl
