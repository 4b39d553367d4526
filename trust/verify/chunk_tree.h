// The Merkle tree over a payload's chunks (RFC 9162 section 2.1): leaf SHA-256(00 || chunk), node SHA-256(01 || l ||
// r). Freestanding. The leaves are held by the caller: 32 bytes for each chunk of kChunkBytes.
#pragma once

#include "base/bytes.h"
#include "trust/manifest/manifest.h"

namespace pawl {

Digest ChunkLeaf(ByteView chunk);

// The root, one leaf at a time, in O(log n) memory. Precondition of Root: at least one leaf was added.
class ChunkTree {
 public:
  void Add(const Digest& leaf);
  Digest Root() const;
  std::uint64_t leaves() const { return count_; }

 private:
  std::array<Digest, 64> stack_{};  // roots of the perfect subtrees, one for each bit of count_
  std::uint64_t count_ = 0;
};

constexpr std::uint64_t ChunkCount(std::uint64_t payload_bytes) {
  return (payload_bytes + kChunkBytes - 1) / kChunkBytes;
}

}  // namespace pawl
