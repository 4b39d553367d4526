#include "platform/io/http/rules.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>

#include "base/text.h"

namespace pawl::http {
namespace {

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool IsLabelCharacter(char c) { return IsLowerOrDigit(c) || c == '.' || c == '_' || c == '-'; }
bool IsIdCharacter(char c) { return IsLowerOrDigit(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '-'; }

// UTF-8 text, counted in characters.
bool IsPrintable(std::string_view text, std::size_t min, std::size_t max) {
  std::size_t characters = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return false;
    if ((byte & 0xc0) != 0x80) ++characters;
  }
  return characters >= min && characters <= max;
}

bool IsDomainLabel(std::string_view label) {
  return !label.empty() && label.size() <= 63 && label.front() != '-' &&
         std::ranges::all_of(label, [](char c) { return IsLowerOrDigit(c) || c == '-'; });
}

}  // namespace

bool IsName(std::string_view text) { return IsPrintable(text, 1, 100); }
bool IsFileName(std::string_view text) { return IsName(text) && text.find('/') == std::string_view::npos; }
bool IsReasonText(std::string_view text) { return text.size() <= 200 && IsPrintable(text, 0, 200); }

bool IsId(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text.front() != '.' && text.front() != '-' &&
         std::ranges::all_of(text, IsIdCharacter);
}

bool IsLabel(std::string_view text) {
  return !text.empty() && text.size() <= 63 && IsLowerOrDigit(text.front()) &&
         std::ranges::all_of(text, IsLabelCharacter);
}

bool IsIdGlob(std::string_view text) {
  return !text.empty() && text.size() <= 63 &&
         std::ranges::all_of(text, [](char c) { return IsLabelCharacter(c) || c == '*' || c == '?'; });
}

bool IsDomain(std::string_view text) {
  if (text.size() > 253) return false;
  std::size_t labels = 0;
  for (;;) {
    const std::size_t dot = std::min(text.find('.'), text.size());
    if (!IsDomainLabel(text.substr(0, dot))) return false;
    ++labels;
    if (dot == text.size()) return labels >= 2;
    text.remove_prefix(dot + 1);
  }
}

bool IsAttributeName(std::string_view text) { return IsLabel(text) && text.size() <= 32; }
bool IsAttributeValue(std::string_view text) { return IsPrintable(text, 0, 64); }

std::optional<Digest> ParseDigest(std::string_view text) {
  Digest digest{};
  const bool upper = std::ranges::any_of(text, [](char c) { return c >= 'A' && c <= 'F'; });
  if (upper || !HexDecode(text, digest)) return std::nullopt;
  return digest;
}

std::string UuidText(const Uuid& uuid) {
  std::string hex(32, '\0');
  HexEncode(uuid, hex);
  for (const std::size_t at : {20UZ, 16UZ, 12UZ, 8UZ}) hex.insert(at, 1, '-');
  return hex;
}

std::string TimeText(std::int64_t ms) {
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  const std::size_t n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + n, sizeof text - n, ".%03dZ", static_cast<int>(ms % 1000));
  return text;
}

std::string TimeTextOfSeconds(std::uint64_t s) {
  std::string text = TimeText(static_cast<std::int64_t>(std::min<std::uint64_t>(s, 253'402'300'799)) * 1000);
  return text.replace(text.size() - 5, 5, "Z");
}

std::optional<std::uint64_t> ParseTimeToSeconds(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd";
  if (text.size() < kForm.size() + 1 || text.back() != 'Z') return std::nullopt;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kForm[i] == 'd' ? !digit : text[i] != kForm[i]) return std::nullopt;
  }
  const std::string_view fraction = text.substr(kForm.size(), text.size() - kForm.size() - 1);
  if (!fraction.empty() && (fraction.front() != '.' || fraction.size() > 10 || !ParseNumber(fraction.substr(1))))
    return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t n) {
    int value = 0;
    std::from_chars(text.data() + at, text.data() + at + n, value);
    return value;
  };
  std::tm parts{};
  parts.tm_year = number(0, 4) - 1900;
  parts.tm_mon = number(5, 2) - 1;
  parts.tm_mday = number(8, 2);
  parts.tm_hour = number(11, 2);
  parts.tm_min = number(14, 2);
  parts.tm_sec = number(17, 2);
  const std::time_t seconds = timegm(&parts);
  // timegm carries what is out of range into the next unit: then the text comes out differently.
  if (seconds < 0 ||
      TimeTextOfSeconds(static_cast<std::uint64_t>(seconds)).substr(0, kForm.size()) != text.substr(0, kForm.size())) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(seconds);
}

std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  if (text.empty() || text.size() > 16) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace pawl::http
