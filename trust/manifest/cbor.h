// A strict reader and writer of deterministic CBOR (RFC 8949 section 4.2.1). Freestanding, no heap.
//
// The reader is made for comparing bytes with a fixed template: each call reads exactly one thing that must be there.
// Strict    shortest heads only, no indefinite lengths, no floats, no trailing bytes. Map keys come in the template's
//           order, which is the sorted one, so an unsorted or repeated key is a mismatch.
// Errors    sticky: after the first failure every call does nothing and gives zero or empty values; Finish() tells it.
//           So a caller reads straight through and asks once. Loop counts of a failed reader are 0.
// Lifetime  views into the input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace pawl::cbor {

inline constexpr std::uint64_t kMaxUint53 = (std::uint64_t{1} << 53) - 1;  // exact in every JSON reader too
inline constexpr std::uint64_t kMaxUint32 = std::numeric_limits<std::uint32_t>::max();
inline constexpr int kMaxDepth = 8;

enum class Major : std::uint8_t { kUint, kNegative, kBytes, kText, kArray, kMap, kTag, kSimple };

class Reader {
 public:
  explicit Reader(ByteView input) : input_(input), end_(input.size()) {}

  bool ok() const { return rule_ == nullptr; }
  std::size_t offset() const { return position_; }
  bool at_end() const { return position_ == end_; }

  std::uint64_t Uint(std::uint64_t max);
  void Expect(std::int64_t value);  // this integer
  bool Take(std::int64_t value);    // reads this integer if it is next: for optional members
  ByteView Bytes();
  std::string_view Text();
  std::uint64_t Array() { return Counted(Major::kArray); }  // how many items follow
  std::uint64_t Map() { return Counted(Major::kMap); }      // how many pairs follow
  void Array(std::uint64_t count) { Require(Array() == count, "another number of items than the template's (R4)"); }
  void Map(std::uint64_t count) { Require(Map() == count, "another number of members than the template's (R4)"); }
  void Tag(std::uint64_t tag);
  void Null();

  template <std::size_t N>
  void Fixed(std::array<std::uint8_t, N>& to) {
    const ByteView bytes = Bytes();
    Require(bytes.size() == N, "a byte string of another size than the template's (R4)");
    if (ok()) std::copy_n(bytes.begin(), N, to.begin());
  }

  // Reads a bstr's head and goes on inside it. Give what Enter returned to Leave, which requires its end.
  std::size_t Enter();
  void Leave(std::size_t outer_end);

  // Reads any one item, nested at most kMaxDepth deep. Every rule of the profile holds; text is not checked for UTF-8.
  void AnyItem(int depth = 1);

  // Fails unless the condition holds. `rule` has static lifetime.
  void Require(bool condition, const char* rule) { kBrief ? Note(condition) : Note(condition, rule); }
  // The whole input was read and nothing failed. Errors: `reason`, detail "<what>: <rule> at byte <offset>".
  Status Finish(Reason reason, std::string_view what);

 private:
  struct Head {
    Major major;
    std::uint64_t value;
    std::size_t size;  // 0: no head could be read, `rule` says why
    const char* rule;
  };
  void Note(bool condition);
  void Note(bool condition, const char* rule);
  Head Peek() const;
  Head Next();
  std::uint64_t Value(Major major);
  std::uint64_t Counted(Major major);
  ByteView Run(Major major);
  void AnyMap(std::uint64_t pairs, int depth);

  ByteView input_;
  std::size_t position_ = 0;
  std::size_t end_;
  const char* rule_ = nullptr;  // the first one broken; not null, but empty in a brief build
};

// One item, deterministic, and nothing behind it. Errors: malformed.
Status CheckDeterministic(ByteView bytes);

// Writes shortest heads; the order of map keys is the caller's duty. Sticky: what does not fit makes Finish() fail.
class Writer {
 public:
  explicit Writer(MutableBytes to) : to_(to) {}

  void Uint(std::uint64_t value) { Head(Major::kUint, value); }
  void Int(std::int64_t value);
  void Bytes(ByteView bytes);
  void Text(std::string_view text);
  void Array(std::uint64_t count) { Head(Major::kArray, count); }
  void Map(std::uint64_t count) { Head(Major::kMap, count); }
  void Tag(std::uint64_t tag) { Head(Major::kTag, tag); }
  void Null() { Head(Major::kSimple, 22); }

  // What is written between Begin and End becomes the content of one bstr. Nests.
  std::size_t Begin() const { return size_; }
  void End(std::size_t begin);

  // How many bytes were written. Errors: too large.
  Result<std::size_t> Finish() const;

 private:
  void Head(Major major, std::uint64_t value);
  void Raw(ByteView bytes);

  MutableBytes to_;
  std::size_t size_ = 0;
  bool full_ = false;
};

// Writes one head in its shortest form, returns its size.
std::size_t WriteHead(Major major, std::uint64_t value, std::span<std::uint8_t, 9> to);

}  // namespace pawl::cbor
