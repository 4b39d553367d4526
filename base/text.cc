#include "base/text.h"

namespace pawl {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kBase64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view HexEncode(ByteView bytes, std::span<char> to) {
  PAWL_ASSERT(to.size() >= 2 * bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    to[2 * i] = kHex[bytes[i] >> 4];
    to[2 * i + 1] = kHex[bytes[i] & 15];
  }
  return {to.data(), 2 * bytes.size()};
}

Status HexDecode(std::string_view text, MutableBytes to) {
  if (text.size() != 2 * to.size()) return Fail(Reason::kMalformed, "hex text has the wrong length");
  for (std::size_t i = 0; i < to.size(); ++i) {
    const int high = HexValue(text[2 * i]);
    const int low = HexValue(text[2 * i + 1]);
    if (high < 0 || low < 0) return Fail(Reason::kMalformed, "not a hex digit");
    to[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return {};
}

int Base64UrlValue(char c) {
  struct Run {
    char first;
    std::uint8_t count;
  };
  static constexpr Run kAlphabet[] = {{'A', 26}, {'a', 26}, {'0', 10}, {'-', 1}, {'_', 1}};
  int value = 0;
  for (const Run& run : kAlphabet) {
    if (c >= run.first && c < run.first + run.count) return value + c - run.first;
    value += run.count;
  }
  return -1;
}

std::string_view Base64UrlEncode(ByteView bytes, std::span<char> to) {
  PAWL_ASSERT(to.size() >= Base64UrlSize(bytes.size()));
  std::size_t written = 0;
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  for (const std::uint8_t byte : bytes) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      to[written++] = kBase64Url[(buffer >> bits) & 63];
    }
  }
  if (bits > 0) to[written++] = kBase64Url[(buffer << (6 - bits)) & 63];
  return {to.data(), written};
}

Result<std::size_t> Base64UrlDecode(std::string_view text, MutableBytes to) {
  if (text.size() % 4 == 1) return Fail(Reason::kMalformed, "base64url text has an impossible length");
  std::size_t written = 0;
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const int value = Base64UrlValue(c);
    if (value < 0) return Fail(Reason::kMalformed, "not a base64url character");
    buffer = (buffer << 6) | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    if (written == to.size()) return Fail(Reason::kTooLarge, "base64url text is over its limit");
    to[written++] = static_cast<std::uint8_t>(buffer >> bits);
  }
  if ((buffer & ((1U << bits) - 1)) != 0) return Fail(Reason::kMalformed, "base64url text has spare bits set");
  return written;
}

}  // namespace pawl
