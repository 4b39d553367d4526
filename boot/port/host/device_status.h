// A look into a device's directory from outside: record, slots, verdicts. Writes nothing; safe while the machine runs.
#pragma once

#include <string>

#include "boot/core/boot.h"
#include "boot/port/host/device_dir.h"

namespace pawl {

struct SlotStatus {
  Status verdict;  // of V(s), now
  // What the envelope says, if it is well-formed, whether or not the slot verifies.
  std::optional<Manifest> manifest;
  Digest manifest_digest{};
};

struct DeviceStatus {
  MachineConfig config;
  Status rom;  // whether the machine would start
  RecordState record;
  std::array<SlotStatus, 2> slots;  // verdicts only with a good ROM
  bool running = false;             // a machine has this device now
};
// Errors: not found (no machine here), malformed, i/o error.
Result<DeviceStatus> ReadDeviceStatus(const std::string& dir);

}  // namespace pawl
