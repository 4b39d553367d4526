#include "boot/port/bare/rom_data.h"
#include "boot/port/virt/nor.h"
#include "boot/port/virt/parts.h"

namespace pawl::board {
namespace {

constexpr std::uint32_t kNorReadArray = 0x00ff00ff;

constinit NorFlash g_record(kNorBase + kRecordOffset, kRecordBytes);
constinit NorFlash g_slot_a(kNorBase + kSlotAOffset, kSlotBytes);
constinit NorFlash g_slot_b(kNorBase + kSlotBOffset, kSlotBytes);

bare::RomData RomOnBoard() {
  return bare::ReadRomData({reinterpret_cast<const std::uint8_t*>(kRomData), bare::kRomDataBytes});
}

// Caches are off; what may be stale is what the core fetched ahead.
void ForgetFetched() { asm volatile("dsb\n mcr p15, 0, %0, c7, c5, 0\n dsb\n isb" ::"r"(0) : "memory"); }

}  // namespace

std::string_view Name() { return "virt"; }

void Start() {
  StartConsole();
  StartIdle();
  StartWatchdog();
  Register(kNorBase) = kNorReadArray;  // whatever command the last program left
}

ByteView AnchorsInRom() { return RomOnBoard().anchors; }
ByteView IdentityInRom() { return RomOnBoard().identity; }
std::uint32_t WatchdogMs() { return RomOnBoard().watchdog_ms; }

Flash& RecordFlash() { return g_record; }
Flash& SlotFlash(Slot slot) { return slot == Slot::kA ? g_slot_a : g_slot_b; }

MutableBytes ImageMemory(Slot slot) {
  const std::uint32_t address = slot == Slot::kA ? kImageMemoryA : kImageMemoryB;
  return {reinterpret_cast<std::uint8_t*>(address), kImageMemoryBytes};
}

void LeaveHandOff(const HandOff& hand_off) {
  const HandOffPacket packet = EncodeHandOff(hand_off);
  std::ranges::copy(packet, reinterpret_cast<std::uint8_t*>(kHandOff));
}

void Jump(ByteView image) {
  ForgetFetched();
  const auto entry = reinterpret_cast<std::uint32_t>(image.data());  // even: ARM code
  asm volatile(
      "mrc p15, 0, r3, c1, c0, 0\n"  // the MMU off: an image starts without, and could not be executed with it
      "bic r3, r3, #1\n"
      "mcr p15, 0, r3, c1, c0, 0\n"
      "isb\n"
      "mov r0, %1\n"
      "bx %0" ::"r"(entry),
      "r"(kHandOff)
      : "r0", "r3", "memory");
  __builtin_unreachable();
}

HandOff TakeHandOff() {
  const Result<HandOff> hand_off =
      DecodeHandOff({reinterpret_cast<const std::uint8_t*>(kHandOff), sizeof(HandOffPacket)});
  if (!hand_off) Crash(hand_off.error().detail);
  return *hand_off;
}

}  // namespace pawl::board
