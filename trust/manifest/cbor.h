// The heads of deterministic CBOR (RFC 8949 section 4.2.1), read strictly and written in their shortest form, and a
// check that bytes are deterministic. Freestanding, no heap. The templates (trust/manifest/template.h) stand on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/bytes.h"
#include "base/result.h"

namespace pawl::cbor {

inline constexpr std::uint64_t kMaxUint53 = (std::uint64_t{1} << 53) - 1;  // exact in every JSON reader too
inline constexpr std::uint64_t kMaxUint32 = std::numeric_limits<std::uint32_t>::max();
inline constexpr int kMaxDepth = 8;

enum class Major : std::uint8_t { kUint, kNegative, kBytes, kText, kArray, kMap, kTag, kSimple };

inline constexpr const char* kTruncated = Wordy("the input ends too early (R1)");
inline constexpr const char* kOtherValue = Wordy("another value than the template's (R4)");
inline constexpr const char* kOverLimit = Wordy("a number over its limit (R4)");

// A place in the input, and the end that may be read to.
//
// Errors    sticky: the first failure stays, and nothing is left to be read in the bstr it happened in. A caller reads
//           straight through, never beyond the input, and asks Finish() once; of what it read nothing may be used.
//           Counts are within their limits after a failure too.
// Lifetime  views into the input.
class Cursor {
 public:
  explicit Cursor(ByteView input) : Cursor(input.data(), input.size()) {}
  // Errors: `otherwise`, with nothing read, if the input is longer than most.
  Cursor(ByteView input, std::size_t most, const char* otherwise) : Cursor(input) {
    if (input.size() > most) kBrief ? Fail() : Refuse(otherwise);
  }

  bool ok() const { return ok_; }
  bool at_end() const { return at_ == end_; }
  const std::uint8_t* at() const { return at_; }
  ByteView Since(const std::uint8_t* from) const { return {from, at_}; }

  std::uint8_t Byte();
  void Expect(unsigned byte);                   // this one
  const std::uint8_t* Take(std::size_t bytes);  // null, and a failure, if fewer are left
  // The argument of a head of this type. Errors: another type.
  std::uint64_t Head(Major major);
  // How many items an array or map has. Errors: `otherwise`, and then it is the least. Precondition: most < 24.
  std::size_t Count(Major major, std::size_t least, std::size_t most, const char* otherwise) {
    return kBrief ? Count(major, least, most) : WordyCount(major, least, most, otherwise);
  }
  // Reads the head of a bstr or text and goes on inside it. Give what Enter returned to Leave, which requires its end.
  const std::uint8_t* Enter(Major major);
  void Leave(const std::uint8_t* outer_end);
  // All that is left of it.
  ByteView Rest() {
    const ByteView rest(at_, end_);
    at_ = end_;
    return rest;
  }

  // Fails unless the condition holds. `rule` has static lifetime.
  void Require(bool condition, const char* rule) {
    if (!condition) kBrief ? Fail() : Fail(rule);
  }
  // The whole input was read and nothing failed. Errors: `reason`, detail "<what>: <rule> at byte <offset>".
  Status Finish(Reason reason, const char* what) {
    if (Done()) return {};
    return std::unexpected(Explain(reason, what));
  }
  // The same for what was read into a result's value: it becomes the error if reading failed. So a caller fills it
  // where it lies, and nothing is copied.
  template <class T>
  void Finish(Result<T>& result, Reason reason, const char* what) {
    if (!Done()) FailInPlace(result, Explain(reason, what));
  }

 protected:
  Cursor(const std::uint8_t* input, std::size_t bytes);
  [[gnu::noinline]] void Fail();
  void Fail(const char* rule);
  void Refuse(const char* rule);  // without saying where
  bool Done();
  Error Explain(Reason reason, const char* what) const {
    Error error{reason, what};
    error.detail.append(": ").append(broken_);
    return error;
  }
  std::size_t Count(Major major, std::size_t least, std::size_t most);
  std::size_t WordyCount(Major major, std::size_t least, std::size_t most, const char* otherwise);

  const std::uint8_t* begin_;
  const std::uint8_t* at_;   // at_ <= end_, always
  const std::uint8_t* end_;  // of the innermost bstr
  bool ok_ = true;

 private:
  [[no_unique_address]] ErrorDetail broken_;  // the first rule, and where
};

// One item, deterministic, nested at most kMaxDepth deep, and nothing behind it; text is not checked for UTF-8.
// Errors: malformed.
Status CheckDeterministic(ByteView bytes);

// Writes one head in its shortest form, returns its size.
std::size_t WriteHead(Major major, std::uint64_t value, std::span<std::uint8_t, 9> to);

}  // namespace pawl::cbor
