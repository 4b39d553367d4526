#include "base/text.h"

namespace pawl {
namespace {

// Bit by bit: a quarter of the other's size, and no table. A boot looks at a few KiB.
constexpr std::uint32_t BriefCrc32(ByteView bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320U & (0U - (crc & 1U)));
  }
  return ~crc;
}

// By half bytes: three times as fast as by bits, and the table has only 64 bytes.
constexpr auto kTable = [] {
  std::array<std::uint32_t, 16> table{};
  for (std::uint32_t half = 0; half < table.size(); ++half) {
    std::uint32_t crc = half;
    for (int i = 0; i < 4; ++i) crc = (crc >> 1) ^ (0xEDB88320U & (0U - (crc & 1U)));
    table[half] = crc;
  }
  return table;
}();

constexpr std::uint32_t FastCrc32(ByteView bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int half = 0; half < 2; ++half) crc = (crc >> 4) ^ kTable[crc & 15U];
  }
  return ~crc;
}

constexpr std::uint8_t kCheckText[] = {'1', '2', '3', '4', '5', '6', '7', '8', '9'};
static_assert(BriefCrc32(kCheckText) == 0xCBF43926 && FastCrc32(kCheckText) == 0xCBF43926);

}  // namespace

std::uint32_t Crc32(ByteView bytes) { return kBrief ? BriefCrc32(bytes) : FastCrc32(bytes); }

}  // namespace pawl
