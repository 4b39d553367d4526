// What the core knows of the bootloader: nothing but these facts, read anew after each start and each change.
#pragma once

#include <string>

#include "slots/boot_record.h"
#include "slots/handoff.h"
#include "trust/manifest/manifest.h"

namespace pawl::agent {

// The image that runs, by the manifest in its slot's trailer, verified.
struct RunningImage {
  Digest image_digest{};
  Digest manifest_digest{};
  Version version;
  std::uint64_t sequence = 0;
  std::uint32_t trial_budget_s = 0;
};

// Our boot record is the vocabulary; other boot controls translate into it.
struct BootFacts {
  BootRecord record;
  Slot slot = Slot::kA;  // that runs, by the hand-off
  BootMode mode = BootMode::kUnproven;
  ResetCause cause = ResetCause::kOther;
  std::uint32_t running_security_version = 0;  // as the bootloader saw it
  RunningImage running;
};

}  // namespace pawl::agent
