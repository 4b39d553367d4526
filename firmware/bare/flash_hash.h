// SHA-256 over flash, in parts that take no long time. Freestanding.
#pragma once

#include "slots/flash.h"
#include "trust/crypto/crypto.h"

namespace pawl::firmware {

inline constexpr std::uint64_t kHashPartBytes = 65536;  // after each the watchdog may be fed, where that is allowed

// Errors: those of Flash::Read.
Status HashPart(Flash& flash, std::uint64_t offset, std::uint64_t bytes, crypto::Sha256& hash);

}  // namespace pawl::firmware
