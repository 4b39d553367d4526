// While the bootloader runs, the MPU lets nothing but its own code be executed, or that be written. Source: ARM DDI
// 0403E, B3.5 (PMSAv7). Of two regions the one with the higher number counts.
#include "boot/port/ast1030/registers.h"
#include "boot/port/board.h"

namespace pawl::board {
namespace {

constexpr std::uintptr_t kBase = 0xE000ED9C;
constexpr std::uintptr_t kAttributes = 0xE000EDA0;

constexpr std::uint32_t kEnabled = 1;
constexpr std::uint32_t kNumberIsValid = 0x10;  // in the base: bits 0 to 3 are the region's number
constexpr std::uint32_t Bytes(std::uint32_t log2) { return (log2 - 1) << 1; }
constexpr std::uint32_t kNormalMemory = 0x8'0000;  // not cached. Without it: strongly ordered, for registers
constexpr std::uint32_t kReadWrite = 0x300'0000;
constexpr std::uint32_t kReadOnly = 0x600'0000;
constexpr std::uint32_t kNeverExecuted = 0x1000'0000;

constexpr std::uint32_t kRegions[] = {
    kNeverExecuted | kReadWrite | Bytes(32) | kEnabled,                  // all there is
    kNeverExecuted | kReadWrite | kNormalMemory | Bytes(20) | kEnabled,  // RAM
    kReadOnly | kNormalMemory | Bytes(16) | kEnabled,                    // the bootloader: bootloader.ld, ROM
};

}  // namespace

void ForbidExecution() {
  for (std::uint32_t i = 0; i < std::size(kRegions); ++i) {
    Register(kBase) = kNumberIsValid | i;  // all begin at 0
    Register(kAttributes) = kRegions[i];
  }
  Register(kMpuControl) = kEnabled;
  asm volatile("dsb\n isb" ::: "memory");
}

}  // namespace pawl::board
