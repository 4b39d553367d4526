// Where everything lies on the AST1030 evaluation board: 768 KiB of RAM at 0, four MiB of SPI NOR behind a controller.
// bootloader.ld repeats the bootloader's own part; docs/porting.md shows the map.
#pragma once

#include <cstdint>

namespace pawl::board::memory {

// RAM. The bootloader (code, constants, data, stack) has the first 124 KiB; what `-kernel` puts there stands for ROM.
inline constexpr std::uintptr_t kRomDataAt = 0x1'0000;  // boot/port/bare/rom_data.h
// Kept over every reset but that of power; neither bootloader nor image has data there.
inline constexpr std::uintptr_t kNextResetAt = 0x1'F000;
inline constexpr std::uintptr_t kHandOffAt = 0x1'F100;
inline constexpr std::uintptr_t kImageAt[] = {0x2'0000, 0x7'0000};  // by Slot
inline constexpr std::size_t kImageMemoryBytes = 320 << 10;

// Flash, as offsets in the chip.
inline constexpr std::uint32_t kFlashBytes = 4 << 20;
inline constexpr std::uint32_t kSectorBytes = 4096;
inline constexpr std::uint32_t kRecordAt = 0;
inline constexpr std::uint32_t kRecordBytes = 2 * kSectorBytes;
inline constexpr std::uint32_t kSlotAt[] = {0x4'0000, 0x8'0000};  // by Slot
inline constexpr std::uint32_t kSlotBytes = 256 << 10;

}  // namespace pawl::board::memory
