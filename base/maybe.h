// Maybe<T>: a value, or none. Like std::optional, but with a layout that is known, so that a table can name value and
// flag by their offsets (trust/manifest/template.h). Freestanding.
//
// Layout  the value at offset 0, the flag (one byte, 0 or 1) at kFlagAt; both at multiples of 4, if T's size is one.
#pragma once

#include <cstddef>
#include <optional>

#include "base/assert.h"

namespace pawl {

template <class T>
class Maybe {
 public:
  static constexpr std::size_t kFlagAt = sizeof(T);

  constexpr Maybe() = default;
  constexpr Maybe(std::nullopt_t) {}                                  // NOLINT(google-explicit-constructor)
  constexpr Maybe(const T& value) : value_(value), present_(true) {}  // NOLINT(google-explicit-constructor)
  constexpr Maybe(const std::optional<T>& other) {                    // NOLINT(google-explicit-constructor)
    if (other) *this = *other;
  }
  constexpr Maybe& operator=(const T& value) {
    value_ = value;
    present_ = true;
    return *this;
  }

  constexpr bool has_value() const { return present_; }
  constexpr explicit operator bool() const { return present_; }
  constexpr const T& operator*() const {
    PAWL_ASSERT(present_);
    return value_;
  }
  constexpr T& operator*() {
    PAWL_ASSERT(present_);
    return value_;
  }
  constexpr const T* operator->() const { return &**this; }
  constexpr T* operator->() { return &**this; }
  constexpr T value_or(const T& other) const { return present_ ? value_ : other; }
  constexpr T& emplace() {
    *this = T{};
    return value_;
  }
  constexpr void reset() { *this = Maybe(); }

  friend constexpr bool operator==(const Maybe& a, const Maybe& b) {
    return a.present_ == b.present_ && (!a.present_ || a.value_ == b.value_);
  }
  friend constexpr bool operator==(const Maybe& a, const T& b) { return a.present_ && a.value_ == b; }
  friend constexpr bool operator==(const Maybe& a, std::nullopt_t) { return !a.present_; }
  // Its own, or std::optional's template would compare its value with a Maybe.
  friend constexpr bool operator==(const Maybe& a, const std::optional<T>& b) { return a == Maybe(b); }

 private:
  alignas(4) alignas(T) T value_{};
  bool present_ = false;
};

}  // namespace pawl
