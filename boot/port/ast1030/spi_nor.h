// The SPI NOR chip behind the AST1030's flash memory controller, and regions of it as the port of slots/flash.h.
//
// Rules of NOR  erasing sets a sector of 4 KiB to FF; programming only clears bits. The chip keeps quiet about a
// program
//               that would set one, so Program looks first and refuses.
// Durable       when the chip is no longer busy. Program and Erase wait for that, so Flush has nothing to do.
#pragma once

#include "slots/flash.h"

namespace pawl::board {

// Both start with it: enables writing to the chip, takes its block protection away (it powers up protected).
// Errors: i/o error, if no chip answers.
Status StartSpiNor();

// A part of the chip. Preconditions: begins and ends at a sector.
class SpiNorRegion final : public Flash {
 public:
  constexpr SpiNorRegion(std::uint32_t at, std::uint32_t bytes) : at_(at), bytes_(bytes) {}

  FlashOffset bytes() const override { return bytes_; }
  std::uint32_t sector_bytes() const override;
  Status Read(FlashOffset offset, MutableBytes to) override;
  Status Program(FlashOffset offset, ByteView from) override;
  Status Erase(FlashOffset sector) override;
  Status Flush() override { return {}; }

 private:
  bool Holds(FlashOffset offset, std::size_t size) const { return offset <= bytes_ && size <= bytes_ - offset; }

  std::uint32_t at_;
  std::uint32_t bytes_;
};

}  // namespace pawl::board
