#include "slots/slot.h"

#include <gtest/gtest.h>

#include <vector>

#include "slots/fake_flash.h"

namespace pawl {
namespace {

class SlotTest : public ::testing::Test {
 protected:
  FakeFlash flash{16, 4096};
  SlotTrailer buffer{};
};

TEST_F(SlotTest, AnEnvelopeLiesInTheLastEightKibibytes) {
  const std::vector<std::uint8_t> envelope(411, 0x42);
  ASSERT_TRUE(WriteEnvelope(flash, envelope).has_value());
  const auto& bytes = flash.bytes_now();
  const std::size_t at = bytes.size() - 8192;
  EXPECT_EQ(AsText(ByteView(bytes).subspan(at, 4)), "PWE1");
  EXPECT_EQ(LoadLe<std::uint32_t>(ByteView(bytes).subspan(at + 4, 4)), 411U);
  const auto read = ReadEnvelope(flash, buffer);
  ASSERT_TRUE(read.has_value());
  EXPECT_TRUE(Equal(*read, envelope));
}

TEST_F(SlotTest, ABlankSlotAndAnErasedEnvelopeReadAsNotFound) {
  EXPECT_EQ(ReadEnvelope(flash, buffer).error().reason, Reason::kNotFound);
  ASSERT_TRUE(WriteEnvelope(flash, std::vector<std::uint8_t>(20, 1)).has_value());
  ASSERT_TRUE(EraseEnvelope(flash).has_value());
  EXPECT_EQ(ReadEnvelope(flash, buffer).error().reason, Reason::kNotFound);
}

TEST_F(SlotTest, AnImpossibleLengthOrVersionIsRefused) {
  auto& bytes = flash.bytes_now();
  const std::size_t at = bytes.size() - 8192;
  for (const std::uint32_t size : {0U, 8185U, 0xFFFFFFFFU}) {
    std::ranges::copy(std::string_view("PWE1"), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    StoreLe(MutableBytes(bytes).subspan(at + 4, 4), size);
    EXPECT_EQ(ReadEnvelope(flash, buffer).error().reason, Reason::kCorrupt) << size;
  }
  bytes[at + 3] = '2';
  EXPECT_EQ(ReadEnvelope(flash, buffer).error().reason, Reason::kUnsupportedVersion);
}

TEST_F(SlotTest, TheLargestEnvelopeFitsAndALargerOneIsRefused) {
  EXPECT_EQ(WriteEnvelope(flash, std::vector<std::uint8_t>(8185, 1)).error().reason, Reason::kTooLarge);
  EXPECT_EQ(WriteEnvelope(flash, {}).error().reason, Reason::kTooLarge);
  ASSERT_TRUE(WriteEnvelope(flash, std::vector<std::uint8_t>(8184, 1)).has_value());
  EXPECT_EQ(ReadEnvelope(flash, buffer)->size(), 8184U);
}

// Cut at every program unit: the envelope is there whole, or the slot does not look complete.
TEST_F(SlotTest, AnEnvelopeThatWasCutWhileItWasWrittenIsNeverReadWhole) {
  const std::vector<std::uint8_t> envelope(411, 0x42);
  for (std::uint64_t operation = 0; operation < 2; ++operation) {
    for (std::uint32_t unit = 0; unit < 110; ++unit) {
      FakeFlash cut{16, 4096};
      cut.CutAt({.operation = operation, .mode = CutMode::kTorn, .unit = unit});
      EXPECT_FALSE(WriteEnvelope(cut, envelope).has_value());
      cut.PowerOn();
      const auto read = ReadEnvelope(cut, buffer);
      const bool whole = operation == 1 && unit >= 2;
      EXPECT_EQ(read.has_value(), whole) << operation << " " << unit;
    }
  }
}

TEST_F(SlotTest, ASlotThatIsNoLargerThanItsTrailerIsRefused) {
  FakeFlash tiny{2, 4096};
  EXPECT_EQ(ReadEnvelope(tiny, buffer).error().reason, Reason::kInvalidArgument);
  EXPECT_EQ(SlotImageBytesMax(8192), 0U);
  EXPECT_EQ(SlotImageBytesMax(100), 0U);
  EXPECT_EQ(SlotImageBytesMax(65536), 57344U);
}

}  // namespace
}  // namespace pawl
