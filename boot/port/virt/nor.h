// A region of the NOR flash: two 16-bit CFI chips (Intel command set) side by side on a 32-bit bus.
//
// Holds NOR's rules itself, because QEMU does not: a program that would set a bit is refused with an error that names
// the address, and nothing is programmed.
// Threads  none: all regions are one bank, and a command to it makes the whole bank unreadable until it is done. So
//          code that calls this must not run from the bank itself.
#pragma once

#include "slots/flash.h"

namespace pawl::board {

class NorFlash final : public Flash {
 public:
  // Precondition: address and bytes are multiples of a sector.
  constexpr NorFlash(std::uint32_t address, std::uint32_t bytes) : address_(address), bytes_(bytes) {}

  FlashOffset bytes() const override { return bytes_; }
  std::uint32_t sector_bytes() const override;
  Status Read(FlashOffset offset, MutableBytes to) override;
  Status Program(FlashOffset offset, ByteView from) override;
  Status Erase(FlashOffset sector) override;
  Status Flush() override { return {}; }  // each operation is done when it returns

 private:
  bool Inside(FlashOffset offset, std::size_t bytes) const { return offset <= bytes_ && bytes <= bytes_ - offset; }
  ByteView View(FlashOffset offset, std::size_t bytes) const;

  std::uint32_t address_;
  std::uint32_t bytes_;
};

}  // namespace pawl::board
