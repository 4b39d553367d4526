// The token that pawl makes for itself on the first start, in SoftHSM2: for a user who has no other HSM.
//
// Format   in its folder: `pin` (0600), `softhsm2.conf`, `tokens/`.
// Crash    the token is made as `tokens.new`, flushed, renamed: `tokens` is whole or not there.
#pragma once

#include <string>

#include "base/result.h"
#include "trust/sign/hsm.h"

namespace pawl::sign {

inline constexpr const char* kSoftHsmModule = "/usr/lib/softhsm/libsofthsm2.so";

std::string OwnPinFile(const std::string& folder);

// Points SoftHSM at the folder, for this process alone, and makes PIN, token and keys if they are missing and may be
// made. Precondition: the folder exists; one process at a time; no thread has started yet (it sets SOFTHSM2_CONF).
Status EnsureOwnToken(const std::string& folder, const HsmSettings& settings, bool may_create);

}  // namespace pawl::sign
