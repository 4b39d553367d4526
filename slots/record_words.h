// The fields of a boot record as they lie in its cell: values that keep the very words and bytes of docs/spec/boot.md,
// "Cell", and behave as bool, Slot, std::optional<Slot> and text. Freestanding, pure.
//
// Why  the words are of RM(1,5), at least 16 of 32 bits apart from each other, from all-zero and from all-one. Neither
//      a few flipped bits nor an erased or killed cell turns one meaning into another, in flash and in RAM alike.
#pragma once

#include <concepts>
#include <optional>
#include <string_view>

#include "base/bounded.h"
#include "base/bytes.h"

namespace pawl {

enum class Slot : std::uint8_t { kA, kB };
constexpr Slot Other(Slot slot) { return slot == Slot::kA ? Slot::kB : Slot::kA; }
constexpr std::string_view Text(Slot slot) { return slot == Slot::kA ? "A" : "B"; }

// Of a word and its complement the one whose highest bit is clear: one comparison sees both.
constexpr std::uint32_t Folded(std::uint32_t word) { return word ^ (0U - (word >> 31)); }

// Yes or no.
class RecordFlag {
 public:
  constexpr RecordFlag(std::same_as<bool> auto value)
      : word_(value ? kYes : kNo) {}  // NOLINT(google-explicit-constructor)
  // To bool and to nothing else: a flag is never taken for a number.
  template <std::same_as<bool> Bool>
  constexpr operator Bool() const {  // NOLINT(google-explicit-constructor)
    return word_ == kYes;
  }
  constexpr bool valid() const { return Folded(word_) == kYes; }
  friend constexpr bool operator==(const RecordFlag&, const RecordFlag&) = default;

 private:
  friend struct BootRecord;
  RecordFlag() = default;  // its constructor sets them all
  static constexpr std::uint32_t kYes = 0x66666666;
  static constexpr std::uint32_t kNo = 0x99999999;
  static_assert(kNo == ~kYes && Folded(kNo) == kYes);
  std::uint32_t word_;
};

// A or B.
class RecordSlot {
 public:
  constexpr RecordSlot(Slot slot) : word_(slot == Slot::kA ? kA : kB) {}         // NOLINT
  constexpr operator Slot() const { return word_ == kA ? Slot::kA : Slot::kB; }  // NOLINT
  constexpr bool valid() const { return Folded(word_) == kA; }

 private:
  friend class RecordPending;
  friend struct BootRecord;
  RecordSlot() = default;
  static constexpr std::uint32_t kA = 0x5A5A5A5A;
  static constexpr std::uint32_t kB = 0xA5A5A5A5;
  static_assert(kB == ~kA && Folded(kB) == kA);
  std::uint32_t word_;
};

// None, A or B.
class RecordPending {
 public:
  constexpr RecordPending(std::nullopt_t) : word_(kNone) {}              // NOLINT(google-explicit-constructor)
  constexpr RecordPending(Slot slot) : word_(RecordSlot(slot).word_) {}  // NOLINT(google-explicit-constructor)
  constexpr RecordPending(const std::optional<Slot>& slot)               // NOLINT(google-explicit-constructor)
      : word_(slot ? RecordSlot(*slot).word_ : kNone) {}

  constexpr bool has_value() const { return word_ != kNone; }
  constexpr explicit operator bool() const { return has_value(); }
  constexpr Slot operator*() const {
    PAWL_ASSERT(has_value());
    return word_ == RecordSlot::kA ? Slot::kA : Slot::kB;
  }
  constexpr operator std::optional<Slot>() const {  // NOLINT(google-explicit-constructor)
    return has_value() ? std::optional<Slot>(**this) : std::nullopt;
  }
  constexpr void reset() { word_ = kNone; }
  constexpr bool valid() const { return word_ == kNone || Folded(word_) == RecordSlot::kA; }

  friend constexpr bool operator==(const RecordPending&, const RecordPending&) = default;
  friend constexpr bool operator==(const RecordPending& pending, Slot slot) { return pending == RecordPending(slot); }

 private:
  friend struct BootRecord;
  RecordPending() = default;
  static constexpr std::uint32_t kNone = 0x3C3C3C3C;
  std::uint32_t word_;
};

// Up to 28 printable characters, padded with FF. What does not fit is cut off; what is not printable becomes '?'.
class RecordText {
 public:
  static constexpr std::size_t kCapacity = 28;

  constexpr RecordText() { clear(); }
  RecordText(std::string_view text) { assign(text); }                   // NOLINT
  RecordText(const char* text) : RecordText(std::string_view(text)) {}  // NOLINT
  template <std::size_t N>
  RecordText(const BoundedText<N>& text) : RecordText(text.view()) {}  // NOLINT

  constexpr void clear() { bytes_.fill(kPadding); }
  RecordText& assign(std::string_view text);
  RecordText& append(std::string_view text);
  RecordText& append_number(std::uint64_t number) { return append(Decimal(number)); }
  std::string_view view() const { return AsText(ByteView(bytes_).first(size())); }
  operator std::string_view() const { return view(); }  // NOLINT(google-explicit-constructor)
  constexpr std::size_t size() const {
    std::size_t size = 0;
    while (size < bytes_.size() && bytes_[size] != kPadding) ++size;
    return size;
  }
  constexpr bool empty() const { return bytes_[0] == kPadding; }
  bool valid() const;

  friend constexpr bool operator==(const RecordText&, const RecordText&) = default;

 private:
  static constexpr std::uint8_t kPadding = 0xFF;
  static constexpr bool Printable(std::uint8_t c) { return c >= 0x20 && c < 0x7F; }
  std::array<std::uint8_t, kCapacity> bytes_;
};

}  // namespace pawl
