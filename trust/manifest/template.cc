#include "trust/manifest/template.h"

#include <cstring>

#include "base/text.h"

namespace pawl::templates {
namespace {

constexpr const char* kOtherCount = Wordy("another number of items than the template's (R4)");
constexpr const char* kZero = Wordy("a number of 0 (R4)");
constexpr const char* kNoName = Wordy("not the base64url text of 32 bytes (R4)");

constexpr std::size_t kNameChars = Base64UrlSize(sizeof(Digest));

void ReadUint(Reader& reader, unsigned operation, std::uint8_t* field) {
  const std::uint64_t value = reader.Head(cbor::Major::kUint);
  const auto high = static_cast<std::uint32_t>(value >> 32);
  reader.Require(high >> ((operation & 2) != 0 ? 21 : 0) == 0, cbor::kOverLimit);
  reader.Require(value != 0 || (operation & 4) == 0, kZero);
  std::memcpy(field, &value, 4);
  if ((operation & 1) != 0) std::memcpy(field + 4, &high, 4);
}

// 0x00 is 0, 0x20 is -1.
void ReadSmall(Reader& reader, std::uint8_t* field, unsigned from, unsigned span) {
  const unsigned byte = reader.Byte();
  reader.Require(byte - from <= span, byte < from ? cbor::kOtherValue : cbor::kOverLimit);
  *field = static_cast<std::uint8_t>(byte < 0x20 ? byte : 0x1f - byte);
}

void ReadName(Reader& reader, std::uint8_t* field) {
  const std::uint8_t* from = reader.Take(kNameChars);
  if (from == nullptr) return;
  int all = 0;
  unsigned buffer = 0;
  unsigned bits = 0;
  for (std::size_t i = 0; i < kNameChars; ++i) {
    const int value = Base64UrlValue(static_cast<char>(from[i]));
    all |= value;  // negative from the first foreign character on
    buffer = (buffer << 6) | static_cast<unsigned>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    *field++ = static_cast<std::uint8_t>(buffer >> bits);
  }
  reader.Require(all >= 0 && (buffer & 3) == 0, kNoName);
}

}  // namespace

// After a failure it goes on to the end: that does no harm, and ends.
const std::uint8_t* Reader::Read(const std::uint8_t* part, void* to) {
  unsigned owed = 0;  // so many optional parts must still come, as a head said
  for (;;) {
    const unsigned operation = *part++;
    if (!IsOperation(operation)) {
      Expect(operation);
      continue;
    }
    switch (operation) {
      case kEnd:
        Require(owed == 0, kOtherCount);
        return part;
      case kBstr: {
        const std::uint8_t* outer_end = Enter(cbor::Major::kBytes);
        part = Read(part, to);
        Leave(outer_end);
        continue;
      }
      case kParameters: {
        const unsigned commands = Byte() - 0x86U;
        Expect(20);
        owed = Byte() - *part++;
        Require(commands == 2 * owed, kOtherCount);
        continue;
      }
      case kCount:
        owed = Byte() - *part++;
        continue;
    }
    std::uint8_t* field = static_cast<std::uint8_t*>(to) + std::size_t{4} * *part++;
    switch (operation) {
      case kSmall:
        ReadSmall(*this, field, part[0], part[1]);
        part += 2;
        break;
      case kRaw: {
        const std::size_t bytes = *part++;
        if (const std::uint8_t* from = Take(bytes)) std::memcpy(field, from, bytes);
        break;
      }
      case kName:
        ReadName(*this, field);
        break;
      case kOptional:
        *field = !at_end() && (IsOperation(part[1]) || part[1] == *at());
        owed -= *field;
        [[fallthrough]];
      case kIf: {
        const std::size_t bytes = *part++;
        if (*field == 0) part += bytes;
        break;
      }
      default:
        ReadUint(*this, operation, field);
    }
  }
}

void Writer::Follow(const std::uint8_t* part, const void* from) {
  from_ = static_cast<const std::uint8_t*>(from);
  Run(part);
}

const std::uint8_t* Writer::Run(const std::uint8_t* part) {
  std::size_t commands = 0;  // where the heads are that count the optional parts; 0: none
  std::size_t count = 0;
  for (;;) {
    const unsigned operation = *part++;
    if (!IsOperation(operation)) {
      Byte(operation);
      continue;
    }
    switch (operation) {
      case kEnd:
        return part;
      case kBstr: {
        const std::size_t begin = Begin();
        part = Run(part);
        End(begin);
        continue;
      }
      case kParameters:
        Byte(0x86);
        commands = size_;
        Byte(20);
        [[fallthrough]];
      case kCount:
        Byte(*part++);
        count = size_;
        continue;
    }
    const std::uint8_t* field = from_ + std::size_t{4} * *part++;
    switch (operation) {
      case kSmall:
        Int(static_cast<std::int8_t>(*field));
        part += 2;
        break;
      case kRaw:
        Raw({field, *part++});
        break;
      case kName: {
        std::array<char, kNameChars> name{};
        Raw(AsBytes(Base64UrlEncode({field, sizeof(Digest)}, name)));
        break;
      }
      case kOptional:
        if (*field != 0 && !full_) {
          ++to_[count - 1];
          if (commands != 0) to_[commands - 1] = static_cast<std::uint8_t>(to_[commands - 1] + 2);
        }
        [[fallthrough]];
      case kIf: {
        const std::size_t bytes = *part++;
        if (*field == 0) part += bytes;
        break;
      }
      default: {
        std::uint64_t value = 0;
        std::memcpy(&value, field, (operation & 1) != 0 ? 8 : 4);
        Head(cbor::Major::kUint, value);
      }
    }
  }
}

void Writer::Byte(unsigned byte) {
  const auto one = static_cast<std::uint8_t>(byte);
  Raw({&one, 1});
}

void Writer::Int(std::int8_t value) {
  if (value < 0) return Head(cbor::Major::kNegative, static_cast<std::uint64_t>(-1 - value));
  Head(cbor::Major::kUint, static_cast<std::uint64_t>(value));
}

void Writer::Raw(ByteView bytes) {
  full_ = full_ || bytes.size() > to_.size() - size_;
  if (full_) return;
  std::ranges::copy(bytes, to_.begin() + static_cast<std::ptrdiff_t>(size_));
  size_ += bytes.size();
}

void Writer::Head(cbor::Major major, std::uint64_t value) {
  std::array<std::uint8_t, 9> head{};
  Raw(ByteView(head).first(cbor::WriteHead(major, value, head)));
}

// The head's size depends on the content's, so the content is written first and then moved behind its head.
void Writer::End(std::size_t begin) {
  std::array<std::uint8_t, 9> head{};
  const std::size_t content = size_ - begin;
  const std::size_t head_bytes = cbor::WriteHead(cbor::Major::kBytes, content, head);
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

}  // namespace pawl::templates
