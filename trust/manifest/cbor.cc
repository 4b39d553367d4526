#include "trust/manifest/cbor.h"

namespace pawl::cbor {
namespace {

constexpr const char* kNotShortest = Wordy("not the shortest form (R1)");
constexpr const char* kIndefinite = Wordy("indefinite length, break or reserved head (R1)");
constexpr const char* kFloat = Wordy("a float (R1)");
constexpr const char* kOtherType = Wordy("another type than the template's (R4)");
constexpr const char* kBehindEnd = Wordy("bytes after the end (R1)");

constexpr unsigned kOneByteArgument = 24;
constexpr unsigned kEightByteArgument = 27;

}  // namespace

Cursor::Cursor(const std::uint8_t* input, std::size_t bytes) : begin_(input), at_(input), end_(input + bytes) {}

void Cursor::Fail() {
  ok_ = false;
  end_ = at_;
}

void Cursor::Fail(const char* rule) {
  if (ok_) broken_.append(rule).append(" at byte ").append_number(static_cast<std::size_t>(at_ - begin_));
  Fail();
}

void Cursor::Refuse(const char* rule) {
  broken_.append(rule);
  Fail();
}

const std::uint8_t* Cursor::Take(std::size_t bytes) {
  if (static_cast<std::size_t>(end_ - at_) < bytes) {
    Require(false, kTruncated);
    return nullptr;
  }
  const std::uint8_t* taken = at_;
  at_ += bytes;
  return taken;
}

std::uint8_t Cursor::Byte() {
  const std::uint8_t* byte = Take(1);
  return byte == nullptr ? 0 : *byte;
}

void Cursor::Expect(unsigned byte) {
  if (at_end() || *at_ != byte) return Require(false, at_end() ? kTruncated : kOtherValue);
  ++at_;
}

std::uint64_t Cursor::Head(Major major) {
  const unsigned first = Byte();
  const unsigned info = first & 31;
  Require(first >> 5 == static_cast<unsigned>(major), kOtherType);
  if (info < kOneByteArgument) return info;
  Require(info <= kEightByteArgument, kIndefinite);
  const unsigned bytes = 1U << (info % 4);
  const std::uint8_t* from = Take(bytes);
  if (from == nullptr) return 0;
  std::uint64_t value = 0;
  std::uint32_t upper_half = 0;
  for (unsigned i = 0; i < bytes; ++i) {
    if (2 * i == bytes) upper_half = static_cast<std::uint32_t>(value);
    value = (value << 8) | from[i];
  }
  // What has nothing in the upper half of its bytes has a shorter form; one byte is for 24 and more.
  Require(bytes == 1 ? value >= kOneByteArgument : upper_half != 0, kNotShortest);
  return value;
}

// A count below 24 stands in the head's first byte.
std::size_t Cursor::Count(Major major, std::size_t least, std::size_t most) {
  const std::size_t count = Byte() - (std::size_t{static_cast<std::uint8_t>(major)} << 5);
  if (count >= least && count <= most) return count;
  Fail();
  return least;
}

std::size_t Cursor::WordyCount(Major major, std::size_t least, std::size_t most, const char* otherwise) {
  const std::size_t count = Byte() - (std::size_t{static_cast<std::uint8_t>(major)} << 5);
  Require(count >= least && count <= most, otherwise);
  return ok() ? count : least;
}

const std::uint8_t* Cursor::Enter(Major major) {
  const std::uint8_t* outer_end = end_;
  const std::uint64_t bytes = Head(major);
  if (bytes > static_cast<std::size_t>(end_ - at_)) {
    Require(false, kTruncated);
  } else {
    end_ = at_ + bytes;
  }
  return outer_end;
}

void Cursor::Leave(const std::uint8_t* outer_end) {
  Require(at_end(), kBehindEnd);
  end_ = outer_end;
}

bool Cursor::Done() {
  Require(at_end(), kBehindEnd);
  return ok();
}

namespace {

void AnyItem(Cursor& cursor, int depth);

void AnyMap(Cursor& cursor, std::uint64_t pairs, int depth) {
  ByteView previous;
  for (; pairs > 0 && cursor.ok(); --pairs) {
    const std::uint8_t* begin = cursor.at();
    AnyItem(cursor, depth + 1);
    const ByteView key = cursor.Since(begin);
    cursor.Require(std::ranges::lexicographical_compare(previous, key), "map keys not sorted or not unique (R1)");
    previous = key;
    AnyItem(cursor, depth + 1);
  }
}

void AnyItem(Cursor& cursor, int depth) {
  cursor.Require(depth <= kMaxDepth, "nested too deep (R1)");
  const unsigned first = cursor.at_end() ? 0 : *cursor.at();
  const auto major = static_cast<Major>(first >> 5);
  const unsigned info = first & 31;
  cursor.Require(major != Major::kSimple || info <= kOneByteArgument || info > kEightByteArgument, kFloat);
  std::uint64_t argument = cursor.Head(major);
  switch (major) {
    case Major::kUint:
    case Major::kNegative:
      return;
    case Major::kSimple:
      // A simple value below 32 has no two-byte form (RFC 8949 section 3.3).
      cursor.Require(info < kOneByteArgument || argument >= 32, kNotShortest);
      return;
    case Major::kBytes:
    case Major::kText:
      // What a 32-bit machine cannot count is longer than any input.
      cursor.Take(static_cast<std::size_t>(std::min<std::uint64_t>(argument, kMaxUint32)));
      return;
    case Major::kTag:
      AnyItem(cursor, depth + 1);
      return;
    case Major::kArray:
      for (; argument > 0 && cursor.ok(); --argument) AnyItem(cursor, depth + 1);
      return;
    case Major::kMap:
      AnyMap(cursor, argument, depth);
      return;
  }
}

}  // namespace

Status CheckDeterministic(ByteView bytes) {
  Cursor cursor(bytes);
  AnyItem(cursor, 1);
  return cursor.Finish(Reason::kMalformed, "CBOR");
}

std::size_t WriteHead(Major major, std::uint64_t value, std::span<std::uint8_t, 9> to) {
  const unsigned type = static_cast<unsigned>(major) << 5;
  if (value < kOneByteArgument) {
    to[0] = static_cast<std::uint8_t>(type | value);
    return 1;
  }
  unsigned info = kOneByteArgument;
  std::size_t bytes = 1;
  while (bytes < 8 && value >> (8 * bytes) != 0) {
    ++info;
    bytes *= 2;
  }
  to[0] = static_cast<std::uint8_t>(type | info);
  for (std::size_t i = 0; i < bytes; ++i) to[1 + i] = static_cast<std::uint8_t>(value >> (8 * (bytes - 1 - i)));
  return bytes + 1;
}

}  // namespace pawl::cbor
