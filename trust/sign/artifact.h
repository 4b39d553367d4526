// Measures a stored artifact: what the signer finds in the file itself, never what it was told.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace pawl::sign {

inline constexpr std::uint64_t kMaxArtifactBytes = std::uint64_t{1} << 36;  // 64 GiB

struct MeasuredArtifact {
  Digest digest{};
  Digest tree_root{};  // RFC 9162 over kChunkBytes chunks
  std::uint64_t bytes = 0;
};

// Reads the whole regular file `path` under the folder `root`; `path` is relative to it or begins with it. No component
// of what follows the root may be a symbolic link, "." or "..". Errors: forbidden (the path), not found, invalid
// argument (empty, no regular file), too large, i/o error.
Result<MeasuredArtifact> MeasureArtifact(const std::string& root, const std::string& path);

// The same for a file that the caller names on its own authority.
Result<MeasuredArtifact> MeasureFile(const std::string& path);

}  // namespace pawl::sign
