#include "trust/sign/artifact.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/hosted/files.h"
#include "trust/crypto/crypto.h"
#include "trust/manifest/manifest.h"
#include "trust/sign/temporary_folder.h"
#include "trust/verify/chunk_tree.h"

namespace pawl::sign {
namespace {

namespace fs = std::filesystem;

class Artifact : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(root_ + "/sha-256/ab");
    Write(root_ + "/sha-256/ab/cd", "firmware");
    Write(folder_.file("secret"), "outside");
  }
  static void Write(const std::string& path, const std::string& content) {
    ASSERT_TRUE(WriteFileDurably(path, content, 0600));
  }
  Reason ReasonFor(const std::string& path) {
    const auto measured = MeasureArtifact(root_, path);
    return measured ? Reason::kNone : measured.error().reason;
  }

  TemporaryFolder folder_;
  const std::string root_ = folder_.file("artifacts");
};

TEST_F(Artifact, IsMeasuredAsWhatItHolds) {
  const auto measured = MeasureArtifact(root_, "sha-256/ab/cd");
  ASSERT_TRUE(measured);
  EXPECT_EQ(measured->bytes, 8U);
  EXPECT_EQ(measured->digest, crypto::Hash(AsBytes("firmware")));
  EXPECT_EQ(measured->tree_root, ChunkLeaf(AsBytes("firmware")));  // one chunk: its leaf is the root
}

TEST_F(Artifact, MayBeNamedWithItsRoot) { EXPECT_EQ(ReasonFor(root_ + "/sha-256/ab/cd"), Reason::kNone); }

TEST_F(Artifact, ItsTreeIsOverWholeChunksAndAShortLastOne) {
  const std::string content(kChunkBytes + 1, 'x');
  Write(root_ + "/big", content);
  ChunkTree tree;
  tree.Add(ChunkLeaf(AsBytes(content).first(kChunkBytes)));
  tree.Add(ChunkLeaf(AsBytes("x")));
  EXPECT_EQ(MeasureArtifact(root_, "big")->tree_root, tree.Root());
}

TEST_F(Artifact, NoPathLeadsOutOfItsRoot) {
  for (const std::string path : {"../secret", "sha-256/../../secret", "/etc/hostname", "", ".", "..", "sha-256/./ab/cd",
                                 "sha-256//ab/cd", "sha-256/ab/cd/", "sha-256/ab/cd/x"}) {
    EXPECT_EQ(ReasonFor(path), Reason::kForbidden) << path;
  }
  EXPECT_EQ(ReasonFor(root_ + "/../secret"), Reason::kForbidden);
  EXPECT_EQ(ReasonFor(std::string("sha-256/ab/cd\0x", 15)), Reason::kForbidden);
  EXPECT_EQ(ReasonFor(std::string(600, 'a')), Reason::kForbidden);
}

TEST_F(Artifact, SymbolicLinksAreRefusedEverywhere) {
  fs::create_symlink(folder_.file("secret"), root_ + "/link");
  fs::create_directory_symlink(folder_.path(), root_ + "/folder");
  EXPECT_EQ(ReasonFor("link"), Reason::kForbidden);
  EXPECT_EQ(ReasonFor("folder/secret"), Reason::kForbidden);
}

TEST_F(Artifact, OnlyRegularFilesThatAreNotEmptyCount) {
  ASSERT_EQ(mkfifo((root_ + "/pipe").c_str(), 0600), 0);
  Write(root_ + "/empty", "");
  EXPECT_EQ(ReasonFor("pipe"), Reason::kInvalidArgument);
  EXPECT_EQ(ReasonFor("sha-256"), Reason::kInvalidArgument);
  EXPECT_EQ(ReasonFor("empty"), Reason::kInvalidArgument);
  EXPECT_EQ(ReasonFor("none"), Reason::kNotFound);
}

}  // namespace
}  // namespace pawl::sign
