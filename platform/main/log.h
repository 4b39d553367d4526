// pawld's log: one line of logfmt each on stderr. Never a secret.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pawl::platform {

enum class Level : std::uint8_t { kDebug, kInfo, kWarning, kError };

void SetUpLog(std::string_view level);  // "debug", "info", "warning", "error"
void SetLogLevel(std::string_view level);
// `fields`: key=value pairs; values with spaces through Quoted.
void Log(Level level, std::string_view part, std::string_view fields);
std::string Quoted(std::string_view text);  // in quotes, control characters made harmless
std::string Fields(const Error& error);     // reason="..." detail="..."

}  // namespace pawl::platform
