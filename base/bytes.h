// Views of bytes, fixed-size values, and little and big endian loads and stores. Freestanding.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace pawl {

using ByteView = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

using Digest = std::array<std::uint8_t, 32>;     // SHA-256
using Uuid = std::array<std::uint8_t, 16>;       // RFC 9562, network order
using KeyId = std::array<std::uint8_t, 8>;       // first bytes of SHA-256 over the DER SubjectPublicKeyInfo
using PublicKey = std::array<std::uint8_t, 65>;  // P-256, SEC1 uncompressed: 04 || x || y
using Signature = std::array<std::uint8_t, 64>;  // ECDSA P-256, r || s, big endian
using Nonce = std::array<std::uint8_t, 16>;      // 128 random bits

inline ByteView AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view AsText(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

inline bool Equal(ByteView a, ByteView b) { return std::ranges::equal(a, b); }

// For secrets: the time does not depend on the contents.
inline bool EqualConstantTime(ByteView a, ByteView b) {
  if (a.size() != b.size()) return false;
  std::uint8_t difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference = static_cast<std::uint8_t>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

// Precondition of all below: the view holds sizeof(T) bytes.
template <class T>
constexpr T LoadLe(ByteView from) {
  T value = 0;
  if (std::endian::native == std::endian::little && !std::is_constant_evaluated()) {
    std::memcpy(&value, from.data(), sizeof(T));  // one load; byte by byte, a small core needs ten instructions
    return value;
  }
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(value | (static_cast<T>(from[i]) << (8 * i)));
  return value;
}
template <class T>
constexpr void StoreLe(MutableBytes to, T value) {
  if (std::endian::native == std::endian::little && !std::is_constant_evaluated()) {
    std::memcpy(to.data(), &value, sizeof(T));
    return;
  }
  for (std::size_t i = 0; i < sizeof(T); ++i) to[i] = static_cast<std::uint8_t>(value >> (8 * i));
}
template <class T>
constexpr T LoadBe(ByteView from) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value | (static_cast<T>(from[i]) << (8 * (sizeof(T) - 1 - i))));
  }
  return value;
}
template <class T>
constexpr void StoreBe(MutableBytes to, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) to[i] = static_cast<std::uint8_t>(value >> (8 * (sizeof(T) - 1 - i)));
}

}  // namespace pawl
