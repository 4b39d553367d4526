// What a child tells about itself, checked and put into the agent's words.
#pragma once

#include "agent/core/boot_facts.h"
#include "agent/io/config.h"
#include "wire/serial/serial.h"

namespace pawl::agent {

// Errors: corrupt (no valid boot record), malformed (slot, mode, cause or version out of range).
Result<BootFacts> BootFactsOf(const serial::Facts& facts);

// The gateway checks manifests, permits and server certificates with copies of the child's ROM files.
// Errors: conflict (they are another device's; names both digests), not found, i/o error.
Status CheckRom(const serial::Facts& facts, const Config& config);

// Whether the gateway can hold a spool for this child. Errors: malformed (slot or sector size).
Status CheckGeometry(const serial::Facts& facts);

}  // namespace pawl::agent
