// Text for terminals: safe, measured in columns, short. Pure.
//
// Text from the platform (names, reasons, what devices report) is never trusted: it goes through Sanitise before it
// reaches a terminal, so that it cannot move the cursor, change colours or turn the line around.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pawl::cli {

// Control characters, bidirectional controls and bytes that are no UTF-8 become visible text (\x1b, \u202e, U+FFFD).
std::string Sanitise(std::string_view text);
// The same for a JSON document, as escapes inside its strings: the value stays what it was. Precondition: valid JSON.
std::string SanitiseJson(std::string_view json);

// Columns that sanitised text takes: combining marks 0, East Asian wide characters and emoji 2.
std::size_t Width(std::string_view text);
// At most `columns` wide; what is cut ends in an ellipsis.
std::string Cut(std::string_view text, std::size_t columns);
std::string Pad(std::string_view text, std::size_t columns, bool right = false);

// "812 B", "4.2 KiB", "1.0 GiB".
std::string Bytes(std::uint64_t bytes);
// RFC 3339 in UTC to seconds since 1970. Nothing: not such a time.
std::optional<std::int64_t> ParseTime(std::string_view text);
// "just now", "3 min ago", "in 2 h", "5 days ago".
std::string Age(std::int64_t at, std::int64_t now);
// "90", "90s", "15m", "12h", "30d" to seconds. Nothing: malformed or over ten years.
std::optional<std::int64_t> ParseDuration(std::string_view text);

// One segment of a path, or a value of a query.
std::string UrlEncode(std::string_view text);

}  // namespace pawl::cli
