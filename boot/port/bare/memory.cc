// The functions of the C library that the compiler itself calls. Compiled so that it does not turn them into calls of
// themselves. A word at a time where both ends allow it: an image of some MiB goes through memcpy at every boot.
#include <cstddef>
#include <cstdint>

namespace {

bool WordAligned(const void* a, const void* b) {
  return ((reinterpret_cast<std::uintptr_t>(a) | reinterpret_cast<std::uintptr_t>(b)) % sizeof(std::uint32_t)) == 0;
}

// Not the type of what lies there: it may alias anything.
using Word __attribute__((may_alias)) = std::uint32_t;

}  // namespace

extern "C" {

void* memcpy(void* to, const void* from, std::size_t bytes) {
  auto* out = static_cast<std::uint8_t*>(to);
  const auto* in = static_cast<const std::uint8_t*>(from);
  if (WordAligned(out, in)) {
    for (; bytes >= sizeof(Word); bytes -= sizeof(Word), out += sizeof(Word), in += sizeof(Word)) {
      *reinterpret_cast<Word*>(out) = *reinterpret_cast<const Word*>(in);
    }
  }
  for (; bytes != 0; --bytes) *out++ = *in++;
  return to;
}

void* memmove(void* to, const void* from, std::size_t bytes) {
  auto* out = static_cast<std::uint8_t*>(to);
  const auto* in = static_cast<const std::uint8_t*>(from);
  if (out <= in || out >= in + bytes) return memcpy(to, from, bytes);
  while (bytes != 0) {
    --bytes;
    out[bytes] = in[bytes];
  }
  return to;
}

void* memset(void* to, int value, std::size_t bytes) {
  auto* out = static_cast<std::uint8_t*>(to);
  const auto byte = static_cast<std::uint8_t>(value);
  if (WordAligned(out, out)) {
    const Word word = 0x01010101U * byte;
    for (; bytes >= sizeof(Word); bytes -= sizeof(Word), out += sizeof(Word)) *reinterpret_cast<Word*>(out) = word;
  }
  for (; bytes != 0; --bytes) *out++ = byte;
  return to;
}

int memcmp(const void* a, const void* b, std::size_t bytes) {
  const auto* left = static_cast<const std::uint8_t*>(a);
  const auto* right = static_cast<const std::uint8_t*>(b);
  for (; bytes != 0; --bytes, ++left, ++right) {
    if (*left != *right) return *left - *right;
  }
  return 0;
}

const void* memchr(const void* in, int value, std::size_t bytes) {
  const auto* at = static_cast<const std::uint8_t*>(in);
  for (; bytes != 0; --bytes, ++at) {
    if (*at == static_cast<std::uint8_t>(value)) return at;
  }
  return nullptr;
}

std::size_t strlen(const char* text) {
  const char* end = text;
  while (*end != '\0') ++end;
  return static_cast<std::size_t>(end - text);
}

}  // extern "C"
