#include "agent/io/cell_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "agent/core/ledger.h"
#include "agent/io/test_tls.h"

namespace pawl::agent {
namespace {

CellPayload Payload(std::uint8_t fill) {
  CellPayload payload;
  payload.fill(fill);
  return payload;
}

TEST(CellFile, KeepsTheNewestOverRestarts) {
  const TestFolder folder;
  for (std::uint8_t i = 0; i < 10; ++i) {
    const auto file = CellFile::Open(folder / "ledger", kLedgerKind).value();
    ASSERT_EQ(file->newest().has_value(), i > 0);
    if (i > 0) EXPECT_EQ(file->newest()->payload, Payload(static_cast<std::uint8_t>(i - 1)));
    ASSERT_TRUE(file->Store(Payload(i)));
  }
}

// Whatever a cut leaves of the copy that was being written: the other one holds.
TEST(CellFile, ATornWriteLeavesTheOneBefore) {
  const TestFolder folder;
  const std::string path = folder / "ledger";
  for (std::uint8_t stored = 2; stored < 6; ++stored) {
    std::filesystem::remove(path);
    {
      const auto file = CellFile::Open(path, kLedgerKind).value();
      for (std::uint8_t i = 1; i <= stored; ++i) ASSERT_TRUE(file->Store(Payload(i)));
    }
    const auto newest_at = static_cast<std::streamoff>(stored % 2 == 1 ? 0 : 4096);
    {
      std::fstream raw(path, std::ios::in | std::ios::out | std::ios::binary);
      raw.seekp(newest_at + 256);
      raw << std::string(256, 'x');
    }
    const auto file = CellFile::Open(path, kLedgerKind).value();
    ASSERT_TRUE(file->newest());
    EXPECT_EQ(file->newest()->payload, Payload(static_cast<std::uint8_t>(stored - 1)));
    ASSERT_TRUE(file->Store(Payload(99)));  // over the torn one
    EXPECT_EQ(CellFile::Open(path, kLedgerKind).value()->newest()->payload, Payload(99));
  }
}

TEST(CellFile, ANewerAgentsFileIsRefusedAndLeftAlone) {
  const TestFolder folder;
  const CellKind newer{kLedgerKind.magic, 2, "ledger"};
  ASSERT_TRUE(CellFile::Open(folder / "ledger", newer).value()->Store(Payload(7)));
  const auto refused = CellFile::Open(folder / "ledger", kLedgerKind);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, Reason::kUnsupportedVersion);
  EXPECT_EQ(CellFile::Open(folder / "ledger", newer).value()->newest()->payload, Payload(7));
}

}  // namespace
}  // namespace pawl::agent
