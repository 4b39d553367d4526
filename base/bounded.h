// Containers with a fixed capacity and no heap. Freestanding.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

#include "base/assert.h"
#include "base/bytes.h"

namespace pawl {

// Up to N elements, in place. Adding to a full one is a bug; ask full() first for data from outside.
template <class T, std::size_t N>
class BoundedVec {
 public:
  static constexpr std::size_t kCapacity = N;

  constexpr void push_back(const T& value) {
    PAWL_ASSERT(size_ < N);
    items_[size_++] = value;
  }
  // New elements are as they were made or left: for whoever fills them.
  constexpr void resize(std::size_t size) {
    PAWL_ASSERT(size <= N);
    size_ = size;
  }
  constexpr void clear() { size_ = 0; }
  constexpr bool full() const { return size_ == N; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr std::size_t size() const { return size_; }
  constexpr const T& operator[](std::size_t i) const {
    PAWL_ASSERT(i < size_);
    return items_[i];
  }
  constexpr T& operator[](std::size_t i) {
    PAWL_ASSERT(i < size_);
    return items_[i];
  }
  constexpr const T* begin() const { return items_.data(); }
  constexpr const T* end() const { return items_.data() + size_; }
  constexpr T* begin() { return items_.data(); }
  constexpr T* end() { return items_.data() + size_; }
  constexpr const T* data() const { return items_.data(); }

 private:
  std::array<T, N> items_{};
  std::size_t size_ = 0;
};

// value /= 10; returns the digit that this takes away.
constexpr unsigned TakeDigit(std::uint32_t& value) {
  const unsigned digit = value % 10;
  value /= 10;
  return digit;
}
// By steps that a 32-bit core does in one instruction each: the compiler's own division costs such a core 700 bytes.
constexpr unsigned TakeDigit(std::uint64_t& value) {
  const auto high = static_cast<std::uint32_t>(value >> 32);
  const auto low = static_cast<std::uint32_t>(value);
  const std::uint32_t middle = (high % 10) << 16 | low >> 16;
  const std::uint32_t last = (middle % 10) << 16 | (low & 0xFFFF);
  value = std::uint64_t{high / 10} << 32 | (middle / 10 << 16 | last / 10);
  return last % 10;
}

// A number in decimal digits.
template <class Number>
class Decimal {
 public:
  constexpr explicit Decimal(Number number) {
    std::conditional_t<sizeof(Number) <= 4, std::uint32_t, std::uint64_t> left = number;
    do {
      digits_[--first_] = static_cast<char>('0' + TakeDigit(left));
    } while (left != 0);
  }
  constexpr std::string_view view() const { return {&digits_[first_], digits_.size() - first_}; }
  constexpr operator std::string_view() const { return view(); }  // NOLINT(google-explicit-constructor)

 private:
  std::array<char, std::numeric_limits<Number>::digits10 + 1> digits_;
  std::uint8_t first_ = std::numeric_limits<Number>::digits10 + 1;
};

// Up to N bytes of text, in place. What does not fit is cut off: for messages, never for identity.
template <std::size_t N>
class BoundedText {
 public:
  constexpr BoundedText() = default;
  constexpr BoundedText(std::string_view text) { append(text); }  // NOLINT(google-explicit-constructor)
  constexpr BoundedText(const char* text) : BoundedText(std::string_view(text)) {}  // NOLINT

  constexpr BoundedText& append(std::string_view text) {
    for (const char c : text) {
      if (size_ == N) break;
      data_[size_++] = c;
    }
    return *this;
  }
  constexpr BoundedText& append_number(std::uint64_t value) { return append(Decimal(value).view()); }
  constexpr std::string_view view() const { return {data_.data(), size_}; }
  constexpr operator std::string_view() const { return view(); }  // NOLINT(google-explicit-constructor)
  constexpr bool empty() const { return size_ == 0; }
  constexpr std::size_t size() const { return size_; }
  friend constexpr bool operator==(const BoundedText& a, const BoundedText& b) { return a.view() == b.view(); }

 private:
  std::array<char, N> data_{};
  std::size_t size_ = 0;
};

// The text of a brief build: takes the same calls, keeps nothing, needs no room.
class NoText {
 public:
  constexpr NoText() = default;
  constexpr NoText(std::string_view) {}  // NOLINT(google-explicit-constructor)
  constexpr NoText(const char*) {}       // NOLINT(google-explicit-constructor)

  constexpr NoText& append(std::string_view) { return *this; }
  constexpr NoText& append_number(std::uint64_t) { return *this; }
  constexpr std::string_view view() const { return {}; }
  constexpr operator std::string_view() const { return {}; }  // NOLINT(google-explicit-constructor)
  constexpr bool empty() const { return true; }
  constexpr std::size_t size() const { return 0; }
};

}  // namespace pawl
