// The port of a flash region: erase sets a sector to FF, program only clears bits. Freestanding.
#pragma once

#include "base/result.h"

namespace pawl {

// Offsets are from the start of the region. Threads: one at a time.
class Flash {
 public:
  Flash() = default;
  Flash(const Flash&) = delete;
  Flash& operator=(const Flash&) = delete;
  virtual ~Flash() = default;

  virtual std::uint64_t bytes() const = 0;
  virtual std::uint32_t sector_bytes() const = 0;

  // Errors of all four: i/o error, invalid argument (outside the region; program over bits that are clear).
  virtual Status Read(std::uint64_t offset, MutableBytes to) = 0;
  virtual Status Program(std::uint64_t offset, ByteView from) = 0;
  virtual Status Erase(std::uint64_t sector) = 0;
  // Barrier: all that was programmed and erased before it is durable when it returns.
  virtual Status Flush() = 0;
};

}  // namespace pawl
