// The port of a flash region: erase sets a sector to FF, program only clears bits. Freestanding.
#pragma once

#include "base/result.h"

namespace pawl {

// On an operating system a slot may be a partition of many GiB. A microcontroller's flash fits into its address space,
// and 64 bits at each of its reads and writes would cost it hundreds of bytes of code.
#ifdef __unix__
using FlashOffset = std::uint64_t;
#else
using FlashOffset = std::size_t;
#endif

// Offsets are from the start of the region. Threads: one at a time.
class Flash {
 public:
  Flash() = default;
  Flash(const Flash&) = delete;
  Flash& operator=(const Flash&) = delete;

  virtual FlashOffset bytes() const = 0;
  virtual std::uint32_t sector_bytes() const = 0;

  // Errors of all four: i/o error, invalid argument (outside the region; program over bits that are clear).
  virtual Status Read(FlashOffset offset, MutableBytes to) = 0;
  virtual Status Program(FlashOffset offset, ByteView from) = 0;
  virtual Status Erase(FlashOffset sector) = 0;
  // Barrier: all that was programmed and erased before it is durable when it returns.
  virtual Status Flush() = 0;

 protected:
  ~Flash() = default;  // nobody owns a Flash by its base
};

}  // namespace pawl
