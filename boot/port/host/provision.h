// What a factory does: makes a virtual device's directory, with ROM, blank record, and an image in slot A.
#pragma once

#include <string>

#include "boot/port/host/device_dir.h"

namespace pawl {

struct Provision {
  std::string dir;
  std::string anchors_file;
  RomIdentity identity;
  std::uint64_t slot_bytes = 0;
  std::uint32_t watchdog_ms = 0;
  std::string image_file;
  std::string envelope_file;
};

// Writes machine.toml last: with it the device is complete. The image must verify for this very device. At its first
// boot it runs unproven (B1), and its own self-tests confirm it. Errors: conflict (a machine is there already), invalid
// argument, those of the slot's verification, i/o error.
Status ProvisionDevice(const Provision& provision);

}  // namespace pawl
