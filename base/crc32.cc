#include "base/text.h"

namespace pawl {

std::uint32_t Crc32(ByteView bytes) {
  // By half bytes: three times as fast as by bits, and the table has only 64 bytes.
  static constexpr std::array<std::uint32_t, 16> kTable = [] {
    std::array<std::uint32_t, 16> table{};
    for (std::uint32_t half = 0; half < table.size(); ++half) {
      std::uint32_t crc = half;
      for (int i = 0; i < 4; ++i) crc = (crc >> 1) ^ (0xEDB88320U & (0U - (crc & 1U)));
      table[half] = crc;
    }
    return table;
  }();
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int half = 0; half < 2; ++half) crc = (crc >> 4) ^ kTable[crc & 15U];
  }
  return ~crc;
}

}  // namespace pawl
