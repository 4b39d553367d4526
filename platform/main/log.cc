#include "platform/main/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace pawl::platform {
namespace {

spdlog::level::level_enum LevelOf(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

void SetUpLog(std::string_view level) {
  auto logger = spdlog::stderr_logger_mt("pawld");
  spdlog::set_default_logger(logger);
  spdlog::set_pattern("ts=%Y-%m-%dT%H:%M:%S.%eZ level=%l program=pawld %v", spdlog::pattern_time_type::utc);
  logger->flush_on(spdlog::level::debug);
  SetLogLevel(level);
}

void SetLogLevel(std::string_view level) { spdlog::set_level(spdlog::level::from_str(std::string(level))); }

void Log(Level level, std::string_view part, std::string_view fields) {
  spdlog::log(LevelOf(level), "part={} {}", part, fields);
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  }
  return quoted + '"';
}

std::string Fields(const Error& error) {
  return "reason=" + Quoted(Text(error.reason)) + " detail=" + Quoted(error.detail.view());
}

}  // namespace pawl::platform
