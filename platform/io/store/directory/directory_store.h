// Artifacts as files: <root>/sha-256/ab/cdef... and cdef....leaves beside it. Paths come from the digest alone, never
// from a name.
#pragma once

#include "platform/io/store/artifact_store.h"

namespace pawl::store {

inline constexpr std::uint64_t kDefaultMaxArtifactBytes = std::uint64_t{1} << 30;

// Creates the folders (mode 0700) and removes what uploads left unfinished. One process at a time uses a root.
Result<std::unique_ptr<ArtifactStore>> OpenDirectoryStore(const std::string& root,
                                                          std::uint64_t max_bytes = kDefaultMaxArtifactBytes);

}  // namespace pawl::store
