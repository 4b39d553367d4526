#include "cli/text.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace pawl::cli {
namespace {

constexpr std::int64_t kDayS = 86400;
constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD
constexpr std::string_view kEllipsis = "\xe2\x80\xa6";     // U+2026

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 1;
  bool valid = false;
};

// The length that a first byte promises; 0: no first byte.
std::size_t PromisedBytes(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return 2;
  if (first >= 0xE0 && first <= 0xEF) return 3;
  if (first >= 0xF0 && first <= 0xF4) return 4;
  return 0;
}

// Precondition: text is not empty.
CodePoint Decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t length = PromisedBytes(byte(0));
  if (length == 0 || length > text.size()) return {};
  if (length == 1) return {byte(0), 1, true};
  char32_t value = byte(0) & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = (value << 6) | (byte(i) & 0x3FU);
  }
  constexpr std::array<char32_t, 5> kLowest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kLowest[length] || surrogate || value > 0x10FFFF) return {};
  return {value, length, true};
}

// Would change what a terminal does or in which order it shows text.
bool IsHarmful(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2060 && c <= 0x206F) || c == 0x061C || c == 0xFEFF || (c >= 0xE0000 && c <= 0xE007F);
}

std::string Escape(char32_t c, bool json) {
  std::array<char, 16> text{};
  if (c > 0xFFFF) {  // JSON: a surrogate pair
    const auto offset = static_cast<unsigned>(c) - 0x10000;
    std::snprintf(text.data(), text.size(), "\\u%04x\\u%04x", 0xD800 + (offset >> 10), 0xDC00 + (offset & 0x3FF));
  } else if (c > 0xFF || json) {
    std::snprintf(text.data(), text.size(), "\\u%04x", static_cast<unsigned>(c));
  } else {
    std::snprintf(text.data(), text.size(), "\\x%02x", static_cast<unsigned>(c));
  }
  return text.data();
}

struct Range {
  char32_t first, last;
};
constexpr Range kZeroWidth[] = {{0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A},
                                {0x064B, 0x065F}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x20D0, 0x20FF},
                                {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}};
constexpr Range kDoubleWidth[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0x33FF},  {0x3400, 0x4DBF},
                                  {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},   {0xAC00, 0xD7A3},  {0xF900, 0xFAFF},
                                  {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},  {0x1F300, 0x1F64F},
                                  {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};

std::size_t Columns(char32_t c) {
  const auto holds = [c](const Range& range) { return c >= range.first && c <= range.last; };
  if (std::ranges::any_of(kZeroWidth, holds)) return 0;
  return std::ranges::any_of(kDoubleWidth, holds) ? 2 : 1;
}

// Exactly `digits` digits at the front, removed from the text.
std::optional<int> TakeNumber(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool Take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

// Days since 1970 of a date of the Gregorian calendar (H. Hinnant's algorithm).
std::int64_t Days(int year, int month, int day) {
  year -= month <= 2;
  const std::int64_t era = year / 400;
  const std::int64_t of_era = year - era * 400;
  const std::int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

}  // namespace

std::string Sanitise(std::string_view text) {
  std::string safe;
  while (!text.empty()) {
    const CodePoint c = Decode(text);
    if (!c.valid) {
      safe += kReplacement;
    } else if (IsHarmful(c.value)) {
      safe += Escape(c.value, false);
    } else {
      safe += text.substr(0, c.bytes);
    }
    text.remove_prefix(c.bytes);
  }
  return safe;
}

std::string SanitiseJson(std::string_view json) {
  std::string safe;
  while (!json.empty()) {
    const CodePoint c = Decode(json);
    const bool space =
        c.value == '\n' || c.value == '\r' || c.value == '\t';  // between the values; strings cannot hold it
    if (!c.valid) {
      safe += kReplacement;
    } else if (IsHarmful(c.value) && !space) {
      safe += Escape(c.value, true);
    } else if (c.value != '\r') {
      safe += json.substr(0, c.bytes);
    }
    json.remove_prefix(c.bytes);
  }
  return safe;
}

std::size_t Width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const CodePoint c = Decode(text);
    width += c.valid ? Columns(c.value) : 1;
    text.remove_prefix(c.bytes);
  }
  return width;
}

std::string Cut(std::string_view text, std::size_t columns) {
  if (Width(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  std::size_t width = 0;
  std::size_t kept = 0;
  while (kept < text.size()) {
    const CodePoint c = Decode(text.substr(kept));
    width += c.valid ? Columns(c.value) : 1;
    if (width > columns - 1) break;
    kept += c.bytes;
  }
  return std::string(text.substr(0, kept)).append(kEllipsis);
}

std::string Pad(std::string_view text, std::size_t columns, bool right) {
  const std::size_t width = Width(text);
  const std::string space(columns > width ? columns - width : 0, ' ');
  return right ? space + std::string(text) : std::string(text) + space;
}

std::string Bytes(std::uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  constexpr std::array<const char*, 4> kUnits = {"KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", value, kUnits[unit]);
  return text.data();
}

std::optional<std::int64_t> ParseTime(std::string_view text) {
  const auto year = TakeNumber(text, 4);
  if (!year || !Take(text, '-')) return std::nullopt;
  const auto month = TakeNumber(text, 2);
  if (!month || !Take(text, '-')) return std::nullopt;
  const auto day = TakeNumber(text, 2);
  if (!day || !Take(text, 'T')) return std::nullopt;
  const auto hour = TakeNumber(text, 2);
  if (!hour || !Take(text, ':')) return std::nullopt;
  const auto minute = TakeNumber(text, 2);
  if (!minute || !Take(text, ':')) return std::nullopt;
  const auto second = TakeNumber(text, 2);
  if (!second) return std::nullopt;
  if (Take(text, '.')) text.remove_prefix(std::min(text.find_first_not_of("0123456789"), text.size()));
  if (text != "Z") return std::nullopt;
  if (*month < 1 || *month > 12 || *day < 1 || *day > 31 || *hour > 23 || *minute > 59 || *second > 60)
    return std::nullopt;
  return Days(*year, *month, *day) * kDayS + std::int64_t{*hour} * 3600 + std::int64_t{*minute} * 60 + *second;
}

std::string Age(std::int64_t at, std::int64_t now) {
  const std::int64_t s = now >= at ? now - at : at - now;
  if (s < 5) return "just now";
  std::string span;
  if (s < 60) {
    span = std::to_string(s) + " s";
  } else if (s < 3600) {
    span = std::to_string(s / 60) + " min";
  } else if (s < 2 * kDayS) {
    span = std::to_string(s / 3600) + " h";
  } else {
    span = std::to_string(s / kDayS) + " days";
  }
  return now >= at ? span + " ago" : "in " + span;
}

std::optional<std::int64_t> ParseDuration(std::string_view text) {
  constexpr std::int64_t kMaxSeconds = std::int64_t{10} * 366 * kDayS;
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = digits > 0 && digits <= 9 ? TakeNumber(text, digits) : std::nullopt;
  if (!number) return std::nullopt;
  const std::int64_t value = *number;
  const std::string_view unit = text;
  std::int64_t scale = 0;
  if (unit.empty() || unit == "s") scale = 1;
  if (unit == "m") scale = 60;
  if (unit == "h") scale = 3600;
  if (unit == "d") scale = kDayS;
  if (scale == 0 || value > kMaxSeconds / scale) return std::nullopt;
  return value * scale;
}

std::string UrlEncode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      encoded += c;
    } else {
      encoded += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return encoded;
}

}  // namespace pawl::cli
