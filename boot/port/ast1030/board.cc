// The board port on the AST1030 evaluation board (QEMU: -M ast1030-evb). For tests: what stands for ROM there lies in
// RAM and cannot be write-protected (docs/porting.md).
#include "boot/port/board.h"

#include "boot/port/ast1030/memory.h"
#include "boot/port/ast1030/parts.h"
#include "boot/port/ast1030/spi_nor.h"
#include "boot/port/bare/rom_data.h"

namespace pawl::board {
namespace {

constinit SpiNorRegion record_flash(memory::kRecordAt, memory::kRecordBytes);
constinit SpiNorRegion slot_flash[] = {{memory::kSlotAt[0], memory::kSlotBytes},
                                       {memory::kSlotAt[1], memory::kSlotBytes}};

bare::RomData Rom() {
  return bare::ReadRomData({reinterpret_cast<const std::uint8_t*>(memory::kRomDataAt), bare::kRomDataBytes});
}

}  // namespace

std::string_view Name() { return "ast1030"; }

void Start() {
  StartClock();
  if (!StartSpiNor()) Crash("the flash chip does not answer");
}

std::uint32_t WatchdogMs() { return Rom().watchdog_ms; }
ByteView AnchorsInRom() { return Rom().anchors; }
ByteView IdentityInRom() { return Rom().identity; }

Flash& RecordFlash() { return record_flash; }
Flash& SlotFlash(Slot slot) { return slot_flash[static_cast<std::size_t>(slot)]; }

MutableBytes ImageMemory(Slot slot) {
  const std::uintptr_t at = memory::kImageAt[static_cast<std::size_t>(slot)];
  return {reinterpret_cast<std::uint8_t*>(at), memory::kImageMemoryBytes};
}

}  // namespace pawl::board
