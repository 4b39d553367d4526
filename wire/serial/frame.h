// Frames on a serial line that carries text for people too: 00 | COBS(payload | CRC-32 LE) | 00. Text never contains a
// zero byte, so whatever stands between two frames is text. Freestanding, no heap.
//
// Format  docs/spec/serial.md, "Frames". COBS: Cheshire and Baker, "Consistent Overhead Byte Stuffing".
#pragma once

#include "wire/serial/serial.h"

namespace pawl::serial {

inline constexpr std::size_t kFrameCrcBytes = 4;
// Of the COBS code: one byte in front, and one more for each 254 bytes.
inline constexpr std::size_t kMaxCodeBytes =
    kMaxPayloadBytes + kFrameCrcBytes + 1 + (kMaxPayloadBytes + kFrameCrcBytes) / 254;
inline constexpr std::size_t kMaxFrameBytes = kMaxCodeBytes + 2;
using Frame = BoundedVec<std::uint8_t, kMaxFrameBytes>;

// Precondition: payload is at most kMaxPayloadBytes.
Frame Pack(ByteView payload);
inline Frame Pack(const Payload& payload) { return Pack(ByteView(payload)); }

// Takes bytes one by one. A damaged frame (CRC, COBS, too long) is dropped and counted: whoever waits asks again.
//
//   - The zero that ends a damaged frame may be the start of the next one, so a lost or a false delimiter costs one
//     frame and the text beside it, never more.
//   - Zeros in a row are one delimiter.
//   - Text that arrives where a frame may begin is taken for one and lost with it; text is for people.
class FrameReader {
 public:
  struct Text {  // a byte between frames
    char c = 0;
  };
  struct Payload {   // a frame is complete
    ByteView bytes;  // lifetime: until the next Take
  };
  using Got = std::variant<std::monostate, Text, Payload>;
  Got Take(std::uint8_t byte);
  std::uint64_t damaged() const { return damaged_; }

 private:
  Got End();

  bool in_frame_ = false;
  std::size_t size_ = 0;  // of the frame so far; beyond the buffer: too long
  std::array<std::uint8_t, kMaxCodeBytes> buffer_{};
  std::uint64_t damaged_ = 0;
};

}  // namespace pawl::serial
