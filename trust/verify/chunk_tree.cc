#include "trust/verify/chunk_tree.h"

#include <bit>

#include "base/assert.h"
#include "trust/crypto/crypto.h"

namespace pawl {
namespace {

constexpr std::array<std::uint8_t, 1> kLeafPrefix = {0};
constexpr std::array<std::uint8_t, 1> kNodePrefix = {1};

Digest Node(const Digest& left, const Digest& right) {
  crypto::Sha256 hash;
  hash.Update(kNodePrefix);
  hash.Update(left);
  hash.Update(right);
  return hash.Finish();
}

}  // namespace

Digest ChunkLeaf(ByteView chunk) {
  crypto::Sha256 hash;
  hash.Update(kLeafPrefix);
  hash.Update(chunk);
  return hash.Finish();
}

// As in counting: a new leaf joins every full subtree at its right edge, from the smallest up, like a carry.
void ChunkTree::Add(const Digest& leaf) {
  Digest subtree = leaf;
  std::size_t level = 0;
  for (; ((count_ >> level) & 1) != 0; ++level) subtree = Node(stack_[level], subtree);
  PAWL_ASSERT(level < stack_.size());
  stack_[level] = subtree;
  ++count_;
}

// RFC 9162 splits at the largest power of two: so the smaller subtrees at the right are joined first.
Digest ChunkTree::Root() const {
  PAWL_ASSERT(count_ > 0);
  auto level = static_cast<std::size_t>(std::countr_zero(count_));
  Digest root = stack_[level];
  for (++level; level < stack_.size() && (count_ >> level) != 0; ++level) {
    if (((count_ >> level) & 1) != 0) root = Node(stack_[level], root);
  }
  return root;
}

}  // namespace pawl
