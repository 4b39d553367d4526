// Hexadecimal and base64url (RFC 4648 section 5, without padding). Freestanding.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace pawl {

// Writes 2 * bytes.size() lower-case digits. Precondition: `to` holds them. Returns what was written.
std::string_view HexEncode(ByteView bytes, std::span<char> to);
// Decodes exactly to.size() bytes. Errors: malformed (length, or a character that is no hex digit).
Status HexDecode(std::string_view text, MutableBytes to);

// 0..63, or -1 if it is none of the alphabet's.
int Base64UrlValue(char c);
constexpr std::size_t Base64UrlSize(std::size_t bytes) { return (bytes * 4 + 2) / 3; }
// Writes Base64UrlSize(bytes.size()) characters. Precondition: `to` holds them. Returns what was written.
std::string_view Base64UrlEncode(ByteView bytes, std::span<char> to);
// Returns how many bytes were written. Errors: malformed (character, length, or non-zero spare bits), too large.
Result<std::size_t> Base64UrlDecode(std::string_view text, MutableBytes to);

// CRC-32 (ISO-HDLC: reflected 04C11DB7, as in zlib).
std::uint32_t Crc32(ByteView bytes);

}  // namespace pawl
