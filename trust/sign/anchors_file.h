// The trust anchors that device ROMs get, made once on the first start, together with the keys that stay offline.
//
// Format  anchors: docs/spec/keys.md. Offline keys: PKCS#8 PEM, 0600, with a README.txt.
// Crash   every file is whole or not there; offline keys that exist are used again until the anchors are made.
// After   the anchors' SHA-256 stands beside the signer's state: other anchors are refused, not adopted.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "trust/sign/hsm.h"

namespace pawl::sign {

struct AnchorsPlaces {
  std::string anchors;       // the file
  std::string offline_keys;  // folder
  std::string state;         // the signer's own folder
};

// Whether the first start was completed: from then on nothing is made anew.
bool AnchorsWereMade(const AnchorsPlaces& places);

// Returns the anchors' bytes. Errors: conflict, naming file and key, where they do not fit the HSM's keys or are not
// the ones made first; not found (they were made, but the file is gone); malformed; i/o error.
Result<std::vector<std::uint8_t>> EnsureAnchors(const AnchorsPlaces& places, const PerUse<PublicKey>& hsm_keys);

}  // namespace pawl::sign
