// While the bootloader runs, the MMU lets nothing but its own code in ROM be executed. One page of 1 MiB for each of
// the lower 2 GiB, at its own address; above, nothing is mapped. Source: ARM DDI 0406C, B3.5 (short descriptors), B4.1.
#include "boot/port/virt/parts.h"

namespace pawl::board {
namespace {

constexpr std::uint32_t kSection = 0x2;
constexpr std::uint32_t kNeverExecuted = 0x10;
constexpr std::uint32_t kReadWrite = 0xC00;
constexpr std::uint32_t kReadOnly = 0x8C00;
constexpr std::uint32_t kNormalMemory = 0x1000;  // not cached. Without it: strongly ordered, as without the MMU
constexpr std::uint32_t kLower2GiB = 0x21;       // TTBCR: the table is for these, and there is no other
constexpr std::uint32_t kDomainChecked = 1;      // DACR: domain 0, a client

alignas(8192) constinit std::array<std::uint32_t, 2048> g_sections{};

}  // namespace

void ForbidExecution() {
  for (std::uint32_t i = 0; i < g_sections.size(); ++i) {
    g_sections[i] = i << 20 | kReadWrite | kNeverExecuted | kSection;
  }
  g_sections[0] = kNormalMemory | kReadOnly | kSection;  // the ROM's first MiB: the bootloader
  asm volatile(
      "mcr p15, 0, %0, c2, c0, 0\n"  // TTBR0
      "mcr p15, 0, %1, c2, c0, 2\n"  // TTBCR
      "mcr p15, 0, %2, c3, c0, 0\n"  // DACR
      "mcr p15, 0, %1, c8, c7, 0\n"  // TLBIALL
      "dsb\n"
      "isb\n"
      "mrc p15, 0, r3, c1, c0, 0\n"  // SCTLR.M
      "orr r3, r3, #1\n"
      "mcr p15, 0, r3, c1, c0, 0\n"
      "isb\n" ::"r"(g_sections.data()),
      "r"(kLower2GiB), "r"(kDomainChecked)
      : "r3", "memory");
}

}  // namespace pawl::board
