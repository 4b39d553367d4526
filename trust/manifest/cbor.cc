#include "trust/manifest/cbor.h"

namespace pawl::cbor {
namespace {

constexpr const char* kTruncated = Wordy("the input ends too early (R1)");
constexpr const char* kNotShortest = Wordy("not the shortest form (R1)");
constexpr const char* kIndefinite = Wordy("indefinite length, break or reserved head (R1)");
constexpr const char* kFloat = Wordy("a float (R1)");
constexpr const char* kOtherType = Wordy("another type than the template's (R4)");
constexpr const char* kOtherValue = Wordy("another value than the template's (R4)");

constexpr std::uint8_t kOneByteArgument = 24;
constexpr std::uint8_t kEightByteArgument = 27;

// The smallest argument that needs as many bytes as additional information 24..27 says.
constexpr std::uint64_t kSmallest[] = {24, 0x100, 0x1'0000, 0x1'0000'0000};

}  // namespace

Reader::Head Reader::Peek() const {
  if (!ok()) return {Major::kUint, 0, 0, rule_};
  if (position_ == end_) return {Major::kUint, 0, 0, kTruncated};
  const std::uint8_t first = input_[position_];
  const auto major = static_cast<Major>(first >> 5);
  const std::uint8_t info = first & 31;
  if (info < kOneByteArgument) return {major, info, 1, nullptr};
  if (info > kEightByteArgument) return {major, 0, 0, kIndefinite};
  if (major == Major::kSimple && info != kOneByteArgument) return {major, 0, 0, kFloat};
  const std::size_t bytes = std::size_t{1} << (info - kOneByteArgument);
  if (end_ - position_ - 1 < bytes) return {major, 0, 0, kTruncated};
  std::uint64_t value = 0;
  for (std::size_t i = 1; i <= bytes; ++i) value = (value << 8) | input_[position_ + i];
  // A simple value below 32 has no two-byte form (RFC 8949 section 3.3).
  const std::uint64_t smallest = major == Major::kSimple ? 32 : kSmallest[info - kOneByteArgument];
  if (value < smallest) return {major, 0, 0, kNotShortest};
  return {major, value, bytes + 1, nullptr};
}

Reader::Head Reader::Next() {
  const Head head = Peek();
  Require(head.size != 0, head.rule);
  if (ok()) position_ += head.size;
  return head;
}

void Reader::Note(bool condition) { Note(condition, ""); }

void Reader::Note(bool condition, const char* rule) {
  if (!condition && ok()) rule_ = rule;
}

std::uint64_t Reader::Value(Major major) {
  const Head head = Next();
  Require(head.major == major, kOtherType);
  return ok() ? head.value : 0;
}

std::uint64_t Reader::Uint(std::uint64_t max) {
  const std::uint64_t value = Value(Major::kUint);
  Require(value <= max, "a number over its limit (R4)");
  return ok() ? value : 0;
}

bool Reader::Take(std::int64_t value) {
  const Head head = Peek();
  const Major major = value < 0 ? Major::kNegative : Major::kUint;
  const auto argument = static_cast<std::uint64_t>(value < 0 ? -1 - value : value);
  if (head.size == 0 || head.major != major || head.value != argument) return false;
  position_ += head.size;
  return true;
}

void Reader::Expect(std::int64_t value) {
  if (Take(value)) return;
  const Head head = Peek();
  Require(head.size != 0, head.rule);
  Require(false, kOtherValue);
}

ByteView Reader::Run(Major major) {
  const std::uint64_t size = Value(major);
  Require(size <= end_ - position_, kTruncated);
  if (!ok()) return {};
  const ByteView run = input_.subspan(position_, static_cast<std::size_t>(size));
  position_ += run.size();
  return run;
}

ByteView Reader::Bytes() { return Run(Major::kBytes); }

std::string_view Reader::Text() { return AsText(Run(Major::kText)); }

// Each item has at least one byte: a count over what is left is a lie, and no loop runs on it.
std::uint64_t Reader::Counted(Major major) {
  const std::uint64_t count = Value(major);
  Require(count <= end_ - position_, kTruncated);
  return ok() ? count : 0;
}

void Reader::Tag(std::uint64_t tag) { Require(Value(Major::kTag) == tag, kOtherValue); }

void Reader::Null() { Require(Value(Major::kSimple) == 22, kOtherValue); }

std::size_t Reader::Enter() {
  const std::size_t outer_end = end_;
  const ByteView content = Bytes();
  position_ -= content.size();
  end_ = position_ + content.size();
  return outer_end;
}

void Reader::Leave(std::size_t outer_end) {
  Require(at_end(), "bytes after the end (R1)");
  end_ = outer_end;
}

void Reader::AnyItem(int depth) {
  Require(depth <= kMaxDepth, "nested too deep (R1)");
  const Head head = Peek();
  if (!ok()) return;
  switch (head.major) {
    case Major::kUint:
    case Major::kNegative:
    case Major::kSimple:
      Next();
      return;
    case Major::kBytes:
    case Major::kText:
      Run(head.major);
      return;
    case Major::kTag:
      Next();
      AnyItem(depth + 1);
      return;
    case Major::kArray:
      for (std::uint64_t i = Array(); i > 0 && ok(); --i) AnyItem(depth + 1);
      return;
    case Major::kMap:
      AnyMap(Map(), depth);
      return;
  }
}

void Reader::AnyMap(std::uint64_t pairs, int depth) {
  ByteView previous;
  for (; pairs > 0 && ok(); --pairs) {
    const std::size_t begin = position_;
    AnyItem(depth + 1);
    const ByteView key = input_.subspan(begin, position_ - begin);
    Require(std::ranges::lexicographical_compare(previous, key), "map keys not sorted or not unique (R1)");
    previous = key;
    AnyItem(depth + 1);
  }
}

Status Reader::Finish(Reason reason, std::string_view what) {
  Require(at_end(), "bytes after the end (R1)");
  if (ok()) return {};
  Error error{reason, what};
  error.detail.append(": ").append(rule_).append(" at byte ").append_number(position_);
  return std::unexpected<Error>(error);
}

Status CheckDeterministic(ByteView bytes) {
  Reader reader(bytes);
  reader.AnyItem();
  return reader.Finish(Reason::kMalformed, "CBOR");
}

std::size_t WriteHead(Major major, std::uint64_t value, std::span<std::uint8_t, 9> to) {
  const auto type = static_cast<std::uint8_t>(static_cast<unsigned>(major) << 5);
  if (value < kOneByteArgument) {
    to[0] = static_cast<std::uint8_t>(type | value);
    return 1;
  }
  std::uint8_t info = kOneByteArgument;
  while (info < kEightByteArgument && value >= kSmallest[info - kOneByteArgument + 1]) ++info;
  const std::size_t bytes = std::size_t{1} << (info - kOneByteArgument);
  to[0] = static_cast<std::uint8_t>(type | info);
  for (std::size_t i = 0; i < bytes; ++i) to[1 + i] = static_cast<std::uint8_t>(value >> (8 * (bytes - 1 - i)));
  return bytes + 1;
}

void Writer::Raw(ByteView bytes) {
  full_ = full_ || bytes.size() > to_.size() - size_;
  if (full_) return;
  std::ranges::copy(bytes, to_.begin() + static_cast<std::ptrdiff_t>(size_));
  size_ += bytes.size();
}

void Writer::Head(Major major, std::uint64_t value) {
  std::array<std::uint8_t, 9> head{};
  Raw(ByteView(head).first(WriteHead(major, value, head)));
}

void Writer::Int(std::int64_t value) {
  if (value < 0) return Head(Major::kNegative, static_cast<std::uint64_t>(-1 - value));
  Uint(static_cast<std::uint64_t>(value));
}

void Writer::Bytes(ByteView bytes) {
  Head(Major::kBytes, bytes.size());
  Raw(bytes);
}

void Writer::Text(std::string_view text) {
  Head(Major::kText, text.size());
  Raw(AsBytes(text));
}

// The head's size depends on the content's, so the content is written first and then moved behind its head.
void Writer::End(std::size_t begin) {
  std::array<std::uint8_t, 9> head{};
  const std::size_t content = size_ - begin;
  const std::size_t head_bytes = WriteHead(Major::kBytes, content, head);
  full_ = full_ || head_bytes > to_.size() - size_;
  if (full_) return;
  const MutableBytes room = to_.subspan(begin, content + head_bytes);
  std::ranges::copy_backward(room.first(content), room.end());
  std::ranges::copy(ByteView(head).first(head_bytes), room.begin());
  size_ += head_bytes;
}

Result<std::size_t> Writer::Finish() const {
  if (full_) return Fail(Reason::kTooLarge, "CBOR: the buffer is too small");
  return size_;
}

}  // namespace pawl::cbor
