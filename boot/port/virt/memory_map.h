// Where things lie on QEMU's virt machine with 64 MiB of RAM (-M virt,highmem=off -m 64). Private to boot/port/virt.
// The linker scripts state the same RAM areas. Source: docs/spec/boot.md, "The virt board".
#pragma once

#include <cstdint>

namespace pawl::board {

// Flash bank 0, read-only: the bootloader runs from its start, the ROM data lie at kRomData.
inline constexpr std::uint32_t kRomData = 0x00100000;

// Flash bank 1: NOR, 64 MiB.
inline constexpr std::uint32_t kNorBase = 0x04000000;
inline constexpr std::uint32_t kNorSectorBytes = 256 << 10;
inline constexpr std::uint32_t kRecordOffset = 0;
inline constexpr std::uint32_t kRecordBytes = 2 * kNorSectorBytes;
inline constexpr std::uint32_t kSlotBytes = 8 << 20;
inline constexpr std::uint32_t kSlotAOffset = 0x00100000;
inline constexpr std::uint32_t kSlotBOffset = 0x00900000;

inline constexpr std::uint32_t kGic = 0x08000000;
inline constexpr std::uint32_t kUart = 0x09000000;
inline constexpr std::uint32_t kPciConfig = 0x3f000000;
inline constexpr std::uint32_t kPciMemory = 0x10000000;

// RAM. QEMU puts a device tree at its start at each reset. What lies from kRetained on survives a reset, not a loss of
// power. The bootloader's own RAM is 0x40200000 to 0x40400000.
inline constexpr std::uint32_t kRetained = 0x40100000;
inline constexpr std::uint32_t kHandOff = 0x40100100;
inline constexpr std::uint32_t kImageMemoryA = 0x41000000;
inline constexpr std::uint32_t kImageMemoryB = 0x42000000;
inline constexpr std::uint32_t kImageMemoryBytes = 16 << 20;

// A register or a word that others change.
inline volatile std::uint32_t& Register(std::uint32_t address) {
  return *reinterpret_cast<volatile std::uint32_t*>(address);
}
inline volatile std::uint16_t& Register16(std::uint32_t address) {
  return *reinterpret_cast<volatile std::uint16_t*>(address);
}
inline volatile std::uint8_t& Register8(std::uint32_t address) {
  return *reinterpret_cast<volatile std::uint8_t*>(address);
}

}  // namespace pawl::board
