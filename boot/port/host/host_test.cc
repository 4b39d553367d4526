#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "boot/port/host/device_dir.h"
#include "boot/port/host/memory_slots.h"
#include "boot/port/host/serial_log.h"

namespace pawl {
namespace {

namespace fs = std::filesystem;

class HostTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "pawl-host-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir = name;
  }
  void TearDown() override { fs::remove_all(dir); }

  std::string Write(const std::string& name, const std::string& text) {
    const fs::path path = dir / name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  std::string ReadBack(const std::string& name) {
    std::ifstream file(dir / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  fs::path dir;
};

TEST_F(HostTest, WhatIsVerifiedIsSealedAndIsWhatRuns) {
  const std::string a = Write("a", std::string(65536, 'a'));
  const std::string b = Write("b", std::string(65536, 'b'));
  auto slots = MemorySlots::Open({a, b}, 65536);
  ASSERT_TRUE(slots.has_value()) << slots.error().detail.view();
  const auto image = (*slots)->Load(Slot::kB, 5000);
  ASSERT_TRUE(image.has_value()) << image.error().detail.view();
  EXPECT_EQ(image->size(), 5000U);
  const int fd = (*slots)->image_fd(Slot::kB);

  Write("b", std::string(65536, 'x'));  // the slot changes after it was loaded
  EXPECT_EQ(image->back(), 'b');
  char byte = 0;
  ASSERT_EQ(::pread(fd, &byte, 1, 4999), 1);
  EXPECT_EQ(byte, 'b');

  EXPECT_EQ(::pwrite(fd, "x", 1, 0), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(::ftruncate(fd, 10), -1);
  EXPECT_EQ(::ftruncate(fd, 9999), -1);
  EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
  EXPECT_EQ(::fcntl(fd, F_ADD_SEALS, 0), -1) << "the seals themselves are sealed";
  EXPECT_EQ((*slots)->image_fd(Slot::kA), -1);
}

TEST_F(HostTest, ASlotOfAnotherSizeThanTheMachinesIsRefusedByName) {
  const std::string a = Write("a", std::string(65536, 'a'));
  const std::string b = Write("b", std::string(61440, 'b'));
  const auto slots = MemorySlots::Open({a, b}, 65536);
  ASSERT_FALSE(slots.has_value());
  EXPECT_NE(slots.error().detail.view().find("/b holds 61440 bytes"), std::string_view::npos);
}

TEST_F(HostTest, AConfigurationIsReadBackAsItWasWritten) {
  MachineConfig config{.watchdog_ms = 1234, .slot_bytes = 1 << 20, .anchors_sha256 = {1}, .identity_sha256 = {2}};
  const auto back = LoadMachineConfig(Write("machine.toml", ToToml(config)));
  ASSERT_TRUE(back.has_value()) << back.error().detail.view();
  EXPECT_EQ(back->watchdog_ms, config.watchdog_ms);
  EXPECT_EQ(back->slot_bytes, config.slot_bytes);
  EXPECT_EQ(back->anchors_sha256, config.anchors_sha256);
  EXPECT_EQ(back->identity_sha256, config.identity_sha256);
  config.watchdog_ms = kMinWatchdogMs - 1;
  EXPECT_EQ(LoadMachineConfig(Write("machine.toml", ToToml(config))).error().reason, Reason::kInvalidArgument);
}

TEST_F(HostTest, ALogThatIsFullBeginsAnew) {
  auto log = SerialLog::Open(dir / "serial.log");
  ASSERT_TRUE(log.has_value());
  log->Write("the \x01 first line");
  EXPECT_NE(ReadBack("serial.log").find("Z the ? first line\n"), std::string::npos);
  const std::string line(kSerialLineBytes + 100, 'x');
  for (std::uint64_t bytes = 0; bytes <= kSerialLogBytes; bytes += kSerialLineBytes) log->Write(line);
  log->Write("after the turn");
  EXPECT_LE(fs::file_size(dir / "serial.log.1"), kSerialLogBytes + kSerialLineBytes + 64);
  EXPECT_NE(ReadBack("serial.log").find("Z after the turn\n"), std::string::npos);
  EXPECT_LT(fs::file_size(dir / "serial.log"), kSerialLogBytes / 2);
}

TEST(LineSplitter, CutsAtEndsOfLinesAndBoundsALineThatHasNone) {
  std::vector<std::string> lines;
  const auto sink = [&lines](std::string_view line) { lines.emplace_back(line); };
  LineSplitter splitter;
  splitter.Add("one\ntw", sink);
  splitter.Add("o\n\nrest", sink);
  splitter.Finish(sink);
  splitter.Finish(sink);
  splitter.Add(std::string(3 * kSerialLineBytes, 'x'), sink);
  splitter.Finish(sink);
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two", "", "rest", std::string(kSerialLineBytes, 'x')}));
}

}  // namespace
}  // namespace pawl
