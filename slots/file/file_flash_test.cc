#include "slots/file/file_flash.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "slots/record_store.h"

namespace pawl {
namespace {

class FileFlashTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "pawl-flash-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir = name;
  }
  void TearDown() override { std::filesystem::remove_all(dir); }

  std::string MakeFile(std::size_t bytes) {
    const std::string path = (dir / "flash.bin").string();
    std::ofstream(path, std::ios::binary) << std::string(bytes, '\xFF');
    return path;
  }

  std::filesystem::path dir;
};

TEST_F(FileFlashTest, TheRecordsFileEnforcesTheRulesOfNorFlash) {
  auto flash = FileFlash::Open(MakeFile(8192), kRecordFileOptions);
  ASSERT_TRUE(flash.has_value());
  const std::vector<std::uint8_t> first = {0xF0, 0x0F};
  const std::vector<std::uint8_t> clears = {0x30, 0x03};
  const std::vector<std::uint8_t> sets = {0x31, 0x03};
  EXPECT_TRUE((*flash)->Program(10, first).has_value());
  EXPECT_TRUE((*flash)->Program(10, clears).has_value());
  EXPECT_EQ((*flash)->Program(10, sets).error().reason, Reason::kInvalidArgument);
  std::vector<std::uint8_t> read(2);
  ASSERT_TRUE((*flash)->Read(10, read).has_value());
  EXPECT_EQ(read, clears);
  ASSERT_TRUE((*flash)->Erase(0).has_value());
  EXPECT_TRUE((*flash)->Program(10, sets).has_value());
  EXPECT_TRUE((*flash)->Flush().has_value());
}

TEST_F(FileFlashTest, ASlotsFileIsWrittenInAnyOrder) {
  auto flash = FileFlash::Open(MakeFile(65536), kSlotFileOptions);
  ASSERT_TRUE(flash.has_value());
  EXPECT_TRUE((*flash)->Program(40000, std::vector<std::uint8_t>(20000, 1)).has_value());
  EXPECT_TRUE((*flash)->Program(0, std::vector<std::uint8_t>(41000, 2)).has_value());
  std::vector<std::uint8_t> read(2);
  ASSERT_TRUE((*flash)->Read(40999, read).has_value());
  EXPECT_EQ(read, (std::vector<std::uint8_t>{2, 1}));
}

TEST_F(FileFlashTest, NothingReachesOutsideTheRegion) {
  auto flash = FileFlash::Open(MakeFile(8192), kRecordFileOptions);
  std::vector<std::uint8_t> bytes(2, 0);
  for (const std::uint64_t offset : {std::uint64_t{8191}, std::uint64_t{8193}, ~std::uint64_t{0}}) {
    EXPECT_EQ((*flash)->Read(offset, bytes).error().reason, Reason::kInvalidArgument);
    EXPECT_EQ((*flash)->Program(offset, bytes).error().reason, Reason::kInvalidArgument);
  }
  EXPECT_EQ((*flash)->Erase(2).error().reason, Reason::kInvalidArgument);
  EXPECT_EQ((*flash)->Erase(~std::uint64_t{0}).error().reason, Reason::kInvalidArgument);
}

TEST_F(FileFlashTest, AMissingOrMissizedFileIsRefusedByName) {
  const auto missing = FileFlash::Open((dir / "none").string(), kRecordFileOptions);
  ASSERT_FALSE(missing.has_value());
  EXPECT_NE(missing.error().detail.view().find("none: open: No such file"), std::string_view::npos);
  for (const std::size_t bytes : {0U, 4096U, 8191U, 12288U}) {
    EXPECT_EQ(FileFlash::Open(MakeFile(bytes), kRecordFileOptions).error().reason, Reason::kInvalidArgument) << bytes;
  }
  EXPECT_EQ(FileFlash::Open(MakeFile(5000), kSlotFileOptions).error().reason, Reason::kInvalidArgument);
  EXPECT_EQ(FileFlash::Open(dir.string(), {.read_only = true}).error().reason, Reason::kInvalidArgument);
}

TEST_F(FileFlashTest, AReadOnlyFileIsReadAndNotWritten) {
  auto options = kRecordFileOptions;
  options.read_only = true;
  auto flash = FileFlash::Open(MakeFile(8192), options);
  ASSERT_TRUE(flash.has_value());
  EXPECT_EQ((*flash)->Program(0, std::vector<std::uint8_t>(1, 0)).error().reason, Reason::kIo);
  EXPECT_EQ((*flash)->Erase(0).error().reason, Reason::kIo);
}

TEST_F(FileFlashTest, ABootRecordSurvivesItsProcess) {
  const std::string path = MakeFile(8192);
  for (std::uint32_t n = 0; n < 50; ++n) {
    auto flash = FileFlash::Open(path, kRecordFileOptions);
    ASSERT_TRUE(flash.has_value());
    RecordStore store(**flash);
    EXPECT_EQ(store.Load().record.trial, n);
    BootRecord next = store.state().record;
    next.trial = n + 1;
    ASSERT_TRUE(store.Commit(next).has_value());
  }
}

}  // namespace
}  // namespace pawl
