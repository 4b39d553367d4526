// From a release's facts and a measured artifact to its manifest.
#pragma once

#include "base/result.h"
#include "trust/manifest/manifest.h"
#include "trust/sign/artifact.h"
#include "trust/sign/client.h"

namespace pawl::sign {

// Errors: invalid argument, naming the fact.
Status CheckFacts(const ReleaseFacts& facts);

// Precondition: CheckFacts holds. The artifact is a raw image: payload and image are the same bytes.
Manifest ManifestOf(const ReleaseFacts& facts, const MeasuredArtifact& artifact);

// Device ids: [a-z0-9][a-z0-9._-]{0,62}. Errors: invalid argument.
Status CheckDeviceId(std::string_view id);

}  // namespace pawl::sign
