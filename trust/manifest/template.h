// A fixed template as a table of bytes, and the one engine that reads and writes by it. Freestanding, no heap.
//
// The profile leaves few choices: nearly every byte of a manifest is the same in each. So a template is written down as
// the encoding itself, with operations where something may differ. An operation is a byte of 0xe0..0xef: as CBOR these
// are simple values that nobody assigned, and no template contains one. A field is named by its offset in a struct, a
// multiple of 4 (At); its value never leaves the limits that stand beside it.
//
// Example  Template(0xa2, 1, Uint53(at), 2, 0x50, Raw(at, 16)) is {1: uint < 2^53, 2: 16 bytes}.
#pragma once

#include <bit>
#include <concepts>

#include "trust/manifest/cbor.h"

namespace pawl::templates {

static_assert(std::endian::native == std::endian::little);  // a field takes the low bytes of a number

enum Operation : std::uint8_t {
  // field: a uint and its limit. The low bits say: 1: the field has 8 bytes, not 4; 2: below 2^53, not 2^32; 4: not 0.
  kUint32 = 0xe0,
  kUint32Wide = 0xe1,
  kEnd = 0xe2,  // of a template, or of a kBstr's content
  kUint53 = 0xe3,
  kUint32From1 = 0xe4,
  kUint53From1 = 0xe7,
  kSmall = 0xe8,  // field, from, span: an integer of one byte, from <= byte <= from + span <-> its value, one byte
  kRaw,           // field, size: bytes; their head stands before them in the template
  kName,          // field: 43 characters of base64url, no spare bit set <-> 32 bytes
  kOptional,  // flag, size: the next `size` bytes of template may be absent; the flag says so. They are present if more
              // follows and, where they start with a constant, that is next
  kIf,        // flag, size: the next `size` bytes of template are there exactly if the flag is set
  kCount,     // least: the head of an array or map that has `least` and one more for each kOptional that is present
              // up to this bstr's end
  kParameters,  // least: [20, {: the head of an array, directive 20, the head of a map, as kCount. Each parameter that
                // is present has a command with two items in the array, which has 6 without them
  kBstr         // what follows, up to its kEnd, is the content of a byte string
};

// --- Building a template ---

template <std::size_t N>
using Part = std::array<std::uint8_t, N>;

constexpr bool IsOperation(unsigned byte) { return byte >> 4 == kUint32 >> 4; }
void NotInATemplate();  // never defined: a table that calls it does not compile

consteval Part<1> AsPart(std::integral auto byte) {
  if (byte < 0 || byte > 0xff || IsOperation(static_cast<unsigned>(byte))) NotInATemplate();
  return {static_cast<std::uint8_t>(byte)};
}
consteval Part<1> AsPart(Operation operation) { return {operation}; }
template <std::size_t N>
consteval Part<N> AsPart(const Part<N>& part) {
  return part;
}

template <class... Parts>
consteval auto Join(const Parts&... parts) {
  Part<(0 + ... + sizeof(AsPart(parts)))> joined{};
  auto to = joined.begin();
  ((to = std::ranges::copy(AsPart(parts), to).out), ...);
  return joined;
}
template <std::size_t N>
consteval Part<N - 1> Text(const char (&text)[N]) {
  Part<N - 1> part{};
  for (std::size_t i = 0; i < part.size(); ++i) part[i] = AsPart(text[i])[0];
  return part;
}

// A field's or flag's place in its struct.
struct Place {
  std::uint8_t quarter;
};
consteval Place At(std::size_t offset) {
  if (offset % 4 != 0 || offset / 4 > 0xff) NotInATemplate();
  return {static_cast<std::uint8_t>(offset / 4)};
}
consteval Part<1> AsPart(Place place) { return {place.quarter}; }

consteval auto Uint32(Place field) { return Join(kUint32, field); }
consteval auto Uint32Wide(Place field) { return Join(kUint32Wide, field); }
consteval auto Uint53(Place field) { return Join(kUint53, field); }
consteval auto Uint32From1(Place field) { return Join(kUint32From1, field); }
consteval auto Uint53From1(Place field) { return Join(kUint53From1, field); }
consteval auto Small(Place field, int from, int to) { return Join(kSmall, field, from, to - from); }
consteval auto Raw(Place field, int size) { return Join(kRaw, field, size); }
consteval auto Name(Place field) { return Join(kName, field); }
consteval auto Count(int least) { return Join(kCount, least); }
consteval auto Parameters(int least) { return Join(kParameters, least); }
template <class... Parts>
consteval auto Optional(Place flag, const Parts&... parts) {
  return Join(kOptional, flag, static_cast<int>(sizeof(Join(parts...))), parts...);
}
template <class... Parts>
consteval auto If(Place flag, const Parts&... parts) {
  return Join(kIf, flag, static_cast<int>(sizeof(Join(parts...))), parts...);
}
template <class... Parts>
consteval auto Bstr(const Parts&... parts) {
  return Join(kBstr, parts..., kEnd);
}
template <class... Parts>
consteval auto Template(const Parts&... parts) {
  return Join(parts..., kEnd);
}

// --- Following it ---

// Reads what a template says into the fields of a struct. Errors: as Cursor; another value than the template's, a
// number over its limit. Of what was read before a failure nothing may be used.
class Reader : public cbor::Cursor {
 public:
  using Cursor::Cursor;
  // `to` has standard layout and is the struct whose offsets stand in the template; its flags are not set.
  template <std::size_t N, class T>
  void Read(const Part<N>& part, T& to) {
    Read(part.data(), &to);
  }
  // The same: a part up to its kEnd. Returns what stands behind it.
  const std::uint8_t* Read(const std::uint8_t* part, void* to);
};

// Writes what a template says from the fields of a struct, and heads for what has no fixed template. Checks no limits:
// whoever wrote reads it back, so that one place knows what is allowed. Sticky: what does not fit makes Finish() fail.
class Writer {
 public:
  explicit Writer(MutableBytes to) : to_(to) {}

  template <std::size_t N, class T>
  void Write(const Part<N>& part, const T& from) {
    Follow(part.data(), &from);
  }
  void Head(cbor::Major major, std::uint64_t value);
  void Raw(ByteView bytes);
  void Bytes(ByteView bytes) {
    Head(cbor::Major::kBytes, bytes.size());
    Raw(bytes);
  }

  // What is written between Begin and End becomes the content of one bstr. Nests.
  std::size_t Begin() const { return size_; }
  void End(std::size_t begin);

  // How many bytes were written. Errors: too large.
  Result<std::size_t> Finish() const;

 private:
  void Follow(const std::uint8_t* part, const void* from);
  const std::uint8_t* Run(const std::uint8_t* part);
  void Int(std::int8_t value);
  void Byte(unsigned byte);

  MutableBytes to_;
  std::size_t size_ = 0;
  bool full_ = false;
  const std::uint8_t* from_ = nullptr;
};

}  // namespace pawl::templates

namespace pawl {

// DecodeManifest to where the manifest is to lie; Finish of the reader says whether it is one. Precondition: `to` is
// Manifest{}.
struct Manifest;
void ReadManifest(templates::Reader& reader, Manifest& to);

}  // namespace pawl
