// Facts about P-256 that every implementation of the port needs. Freestanding.
#pragma once

#include <algorithm>

#include "base/bytes.h"

namespace pawl::crypto {

// DER of a P-256 SubjectPublicKeyInfo (RFC 5480) up to the point; the 65 bytes of the point follow.
inline constexpr std::array<std::uint8_t, 26> kSpkiPrefix = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                                             0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                                             0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};

// The order n of the group, big endian (SP 800-186, section 3.2.1.3).
inline constexpr std::array<std::uint8_t, 32> kP256Order = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

// True if 1 <= scalar <= n - 1. Precondition: 32 bytes, big endian.
inline bool IsP256Scalar(ByteView scalar) {
  const bool zero = std::ranges::all_of(scalar, [](std::uint8_t byte) { return byte == 0; });
  return !zero && std::ranges::lexicographical_compare(scalar, kP256Order);
}

}  // namespace pawl::crypto
