#include "platform/io/store/directory/directory_store.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "trust/crypto/crypto.h"
#include "trust/verify/chunk_tree.h"

namespace pawl::store {
namespace {

namespace fs = std::filesystem;

class DirectoryStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = fs::temp_directory_path() / "pawl-store-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { fs::remove_all(root_); }

  std::unique_ptr<ArtifactStore> Open(std::uint64_t max_bytes = kDefaultMaxArtifactBytes) {
    auto store = OpenDirectoryStore(root_, max_bytes);
    EXPECT_TRUE(store.has_value());
    return std::move(*store);
  }
  static std::vector<std::uint8_t> Content(std::size_t bytes) {
    std::vector<std::uint8_t> content(bytes);
    for (std::size_t i = 0; i < bytes; ++i) content[i] = static_cast<std::uint8_t>(7 * i + (i >> 8) + 3);
    return content;
  }
  static std::vector<std::uint8_t> ReadAll(const OpenFile& file) {
    std::vector<std::uint8_t> bytes(file.bytes());
    EXPECT_EQ(::pread(file.fd(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    return bytes;
  }
  std::size_t FilesBelow(const char* folder) {
    std::size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(root_) / folder))
      files += entry.is_regular_file() ? 1 : 0;
    return files;
  }

  std::string root_;
};

TEST_F(DirectoryStoreTest, ContentAndLeavesAreWhatTheManifestSpecifies) {
  const auto store = Open();
  const auto content = Content(150'000);
  auto writer = *store->Begin();
  for (std::size_t at = 0; at < content.size(); at += 1000) {  // pieces that do not fit the chunks
    ASSERT_TRUE(writer->Append(ByteView(content).subspan(at, std::min<std::size_t>(1000, content.size() - at))));
  }
  const auto stored = writer->Commit();
  ASSERT_TRUE(stored.has_value());
  EXPECT_TRUE(stored->created);
  EXPECT_EQ(stored->digest, crypto::Hash(content));
  EXPECT_EQ(ReadAll(*store->Open(stored->digest, Part::kContent)), content);
  const auto leaves = ReadAll(*store->Open(stored->digest, Part::kLeaves));
  ASSERT_EQ(leaves.size(), 3 * 32U);
  for (std::size_t i = 0; i < 3; ++i) {
    const ByteView chunk =
        ByteView(content).subspan(i * kChunkBytes, std::min(kChunkBytes, content.size() - i * kChunkBytes));
    EXPECT_TRUE(Equal(ByteView(leaves).subspan(i * 32, 32), ChunkLeaf(chunk))) << i;
  }
}

TEST_F(DirectoryStoreTest, TheSameContentIsStoredOnce) {
  const auto store = Open();
  for (const bool created : {true, false}) {
    auto writer = *store->Begin();
    ASSERT_TRUE(writer->Append(Content(10)));
    EXPECT_EQ((*writer->Commit()).created, created);
  }
  EXPECT_EQ(store->List()->size(), 1U);
}

TEST_F(DirectoryStoreTest, AnUploadWithoutCommitLeavesNothing) {
  const auto store = Open();
  {
    auto writer = *store->Begin();
    ASSERT_TRUE(writer->Append(Content(100'000)));
  }
  EXPECT_EQ(FilesBelow("incoming") + FilesBelow("sha-256"), 0U);
}

TEST_F(DirectoryStoreTest, WhatACrashLeftIsGoneAfterTheNextStart) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto store = OpenDirectoryStore(root_);
    auto writer = (*store)->Begin();
    if (!(*writer)->Append(Content(100'000))) ::_exit(1);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_GT(FilesBelow("incoming"), 0U);
  const auto store = Open();
  EXPECT_EQ(FilesBelow("incoming"), 0U);
  EXPECT_TRUE(store->List()->empty());
}

TEST_F(DirectoryStoreTest, OtherContentThanAnnouncedIsRefused) {
  const auto store = Open();
  auto writer = *store->Begin();
  ASSERT_TRUE(writer->Append(Content(10)));
  const auto stored = writer->Commit(Digest{});
  ASSERT_FALSE(stored.has_value());
  EXPECT_EQ(stored.error().reason, Reason::kImageDigest);
  writer.reset();
  EXPECT_EQ(FilesBelow("incoming") + FilesBelow("sha-256"), 0U);
}

TEST_F(DirectoryStoreTest, TheLimitAndEmptinessAreRefusedByName) {
  const auto store = Open(/*max_bytes=*/100);
  auto writer = *store->Begin();
  ASSERT_TRUE(writer->Append(Content(100)));
  const auto more = writer->Append(Content(1));
  ASSERT_FALSE(more.has_value());
  EXPECT_EQ(more.error().reason, Reason::kTooLarge);
  EXPECT_NE(more.error().detail.view().find("100"), std::string_view::npos);
  auto empty = *store->Begin();
  EXPECT_EQ(empty->Commit().error().reason, Reason::kInvalidArgument);
}

TEST_F(DirectoryStoreTest, AFullDiskIsReportedAndNothingIsStored) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{50'000, 50'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto store = OpenDirectoryStore(root_);
    auto writer = (*store)->Begin();
    const Status status = (*writer)->Append(Content(100'000));
    ::_exit(!status && status.error().reason == Reason::kIo ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(Open()->List()->empty());
}

TEST_F(DirectoryStoreTest, AnUnknownDigestIsNotFoundAndRemovingItIsNoError) {
  const auto store = Open();
  EXPECT_EQ(store->Open(Digest{}, Part::kContent).error().reason, Reason::kNotFound);
  EXPECT_EQ(store->LocalPath(Digest{}).error().reason, Reason::kNotFound);
  EXPECT_TRUE(store->Remove(Digest{}).has_value());
  EXPECT_TRUE(store->Check().has_value());
}

TEST_F(DirectoryStoreTest, RemovedContentIsGoneWithItsLeaves) {
  const auto store = Open();
  auto writer = *store->Begin();
  ASSERT_TRUE(writer->Append(Content(10)));
  const Digest digest = (*writer->Commit()).digest;
  ASSERT_TRUE(store->Remove(digest));
  EXPECT_EQ(FilesBelow("sha-256"), 0U);
}

}  // namespace
}  // namespace pawl::store
