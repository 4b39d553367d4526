// Containers with a fixed capacity and no heap. Freestanding.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

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
  constexpr BoundedText& append_number(std::uint64_t value) {
    std::array<char, 20> digits{};
    std::size_t n = 0;
    do {
      digits[n++] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value != 0);
    while (n > 0) append(std::string_view(&digits[--n], 1));
    return *this;
  }
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
