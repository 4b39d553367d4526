// A virtual device's directory: its paths, its ROM and the machine's own settings (docs/architecture.md).
#pragma once

#include <string>

#include "boot/core/verify_slot.h"

namespace pawl {

struct DevicePaths {
  explicit DevicePaths(const std::string& dir)
      : root(dir),
        machine(dir + "/machine.toml"),
        rom(dir + "/rom"),
        anchors(dir + "/rom/anchors.cbor"),
        identity(dir + "/rom/identity.cbor"),
        flash(dir + "/flash"),
        record(dir + "/flash/record.bin"),
        slots{dir + "/flash/slot_a.bin", dir + "/flash/slot_b.bin"},
        data(dir + "/data"),
        serial_log(dir + "/serial.log") {}
  const std::string& slot(Slot which) const { return slots[static_cast<std::size_t>(which)]; }

  std::string root, machine, rom, anchors, identity, flash, record;
  std::array<std::string, 2> slots;
  std::string data, serial_log;
};

inline constexpr std::uint32_t kMinWatchdogMs = 100;
inline constexpr std::uint32_t kMaxWatchdogMs = 3'600'000;
inline constexpr std::uint64_t kMinSlotBytes = 64 * 1024;
inline constexpr std::uint64_t kMaxSlotBytes = std::uint64_t{4} << 30;

// machine.toml. The digests stand for fuses: they say which ROM this machine was made with.
struct MachineConfig {
  std::uint32_t watchdog_ms = 0;
  std::uint64_t slot_bytes = 0;
  Digest anchors_sha256{};
  Digest identity_sha256{};
};
// Errors: i/o error, malformed (with file, line and key), invalid argument (a value out of its range).
Result<MachineConfig> LoadMachineConfig(const std::string& path);
std::string ToToml(const MachineConfig& config);

// Reads ROM and holds it against the digests. Errors, each naming the file: not found, forbidden (anyone may write it,
// or it is no plain file), i/o error, corrupt (not the ROM that this machine was made with), malformed.
Result<Rom> LoadRom(const DevicePaths& paths, const MachineConfig& config);

// An error whose detail is `parts` after each other, and with `number`, the text of that errno.
std::unexpected<Error> FailWith(Reason reason, std::initializer_list<std::string_view> parts, int number = 0);

}  // namespace pawl
