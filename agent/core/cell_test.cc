#include "agent/core/cell.h"

#include <gtest/gtest.h>

#include "agent/core/ledger.h"

namespace pawl::agent {
namespace {

Cell SomeCell(std::uint64_t generation) {
  Cell cell;
  cell.generation = generation;
  for (std::size_t i = 0; i < cell.payload.size(); ++i) cell.payload[i] = static_cast<std::uint8_t>(i * 7 + generation);
  return cell;
}

TEST(Cell, ReadsBackWhatWasWritten) {
  const auto back = DecodeCell(kLedgerKind, EncodeCell(kLedgerKind, SomeCell(5)));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->generation, 5U);
  EXPECT_EQ(back->payload, SomeCell(5).payload);
}

TEST(Cell, RefusesEverySingleFlippedBit) {
  const CellBytes good = EncodeCell(kLedgerKind, SomeCell(5));
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    CellBytes bad = good;
    bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ (1U << (bit % 8)));
    const auto cell = DecodeCell(kLedgerKind, bad);
    ASSERT_FALSE(cell) << bit;
    EXPECT_EQ(cell.error().reason, Reason::kCorrupt) << bit;
  }
}

TEST(Cell, OneDamagedCopyLeavesTheOther) {
  const CellBytes old_copy = EncodeCell(kLedgerKind, SomeCell(5));
  const CellBytes new_copy = EncodeCell(kLedgerKind, SomeCell(6));
  CellBytes torn = new_copy;
  torn[300] ^= 1;
  const auto newest = [](const CellBytes& a, const CellBytes& b) { return NewestCell(kLedgerKind, a, b).value(); };
  EXPECT_EQ(newest(old_copy, new_copy)->generation, 6U);
  EXPECT_EQ(newest(new_copy, old_copy)->generation, 6U);
  EXPECT_EQ(newest(old_copy, torn)->generation, 5U);
  EXPECT_EQ(newest(torn, old_copy)->generation, 5U);
  EXPECT_FALSE(newest(torn, torn));
  EXPECT_FALSE(newest(CellBytes{}, CellBytes{}));
}

TEST(Cell, ANewerAgentsCellIsRefusedByName) {
  const CellKind newer{kLedgerKind.magic, kLedgerKind.version + 1, "ledger"};
  const auto newest = NewestCell(kLedgerKind, EncodeCell(kLedgerKind, SomeCell(5)), EncodeCell(newer, SomeCell(6)));
  ASSERT_FALSE(newest);
  EXPECT_EQ(newest.error().reason, Reason::kUnsupportedVersion);
  EXPECT_NE(newest.error().detail.view().find("ledger"), std::string_view::npos);
}

TEST(Cell, AnotherKindsCellIsNotOurs) {
  EXPECT_FALSE(DecodeCell(kJournalKind, EncodeCell(kLedgerKind, SomeCell(1))));
  EXPECT_FALSE(DecodeCell(kLedgerKind, ByteView(EncodeCell(kLedgerKind, SomeCell(1))).first(kCellBytes - 1)));
}

}  // namespace
}  // namespace pawl::agent
