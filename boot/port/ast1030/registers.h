// Memory-mapped registers of the AST1030 ("Aspeed AST1030 datasheet"; QEMU hw/arm/aspeed_ast10x0.c has the same map).
#pragma once

#include <cstdint>

namespace pawl::board {

inline volatile std::uint32_t& Register(std::uintptr_t address) {
  return *reinterpret_cast<volatile std::uint32_t*>(address);
}
inline volatile std::uint8_t& ByteRegister(std::uintptr_t address) {
  return *reinterpret_cast<volatile std::uint8_t*>(address);
}

inline constexpr std::uintptr_t kMpuControl = 0xE000ED94;  // of the core: ARM DDI 0403E, B3.5.5

}  // namespace pawl::board
