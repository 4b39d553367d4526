#include "trust/verify/chunk_tree.h"

#include <gtest/gtest.h>

#include <bit>

#include "trust/verify/golden.h"

namespace pawl {
namespace {

// RFC 9162 section 2.1.1, word by word: MTH(D[n]) with k the largest power of two smaller than n.
Digest NaiveRoot(std::span<const Digest> leaves) {
  if (leaves.size() == 1) return leaves[0];
  const std::size_t k = std::bit_floor(leaves.size() - 1);
  std::vector<std::uint8_t> node = {1};
  for (const Digest& side : {NaiveRoot(leaves.first(k)), NaiveRoot(leaves.subspan(k))}) {
    node.insert(node.end(), side.begin(), side.end());
  }
  return crypto::Hash(node);
}

TEST(ChunkTree, AgreesWithTheRecursiveDefinitionForOneToSeventyLeaves) {
  std::vector<Digest> leaves;
  ChunkTree tree;
  for (std::uint8_t i = 0; i < 70; ++i) {
    leaves.push_back(ChunkLeaf(std::array<std::uint8_t, 1>{i}));
    tree.Add(leaves.back());
    EXPECT_EQ(tree.Root(), NaiveRoot(leaves)) << leaves.size() << " leaves";
    EXPECT_EQ(tree.leaves(), leaves.size());
  }
}

TEST(ChunkTree, GivesTheRootOfTheWorkedExample) {
  const auto image = golden::Image();
  ChunkTree tree;
  for (std::size_t at = 0; at < image.size(); at += kChunkBytes) {
    tree.Add(ChunkLeaf(ByteView(image).subspan(at, std::min(kChunkBytes, image.size() - at))));
  }
  EXPECT_EQ(tree.leaves(), 3U);
  EXPECT_EQ(tree.leaves(), ChunkCount(image.size()));
  EXPECT_EQ(tree.Root(), golden::HexTo<Digest>(golden::kTreeRoot));
}

TEST(ChunkTree, ALeafIsNoNode) {
  const Digest a = ChunkLeaf(golden::Hex("00"));
  const Digest b = ChunkLeaf(golden::Hex("01"));
  ChunkTree two;
  two.Add(a);
  two.Add(b);
  std::vector<std::uint8_t> forged(a.begin(), a.end());
  forged.insert(forged.end(), b.begin(), b.end());
  EXPECT_NE(two.Root(), ChunkLeaf(forged));
}

TEST(ChunkTree, TheLastChunkMayBeShort) {
  EXPECT_EQ(ChunkCount(1), 1U);
  EXPECT_EQ(ChunkCount(65536), 1U);
  EXPECT_EQ(ChunkCount(65537), 2U);
  EXPECT_EQ(ChunkCount(150'000), 3U);
}

}  // namespace
}  // namespace pawl
