// Tells systemd how pawld is (sd_notify(3)), without libsystemd. Does nothing where no service manager listens.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace pawl::platform {

void Notify(std::string_view state);  // "READY=1", "STOPPING=1", "WATCHDOG=1"
// How often WATCHDOG=1 is wanted at the latest; nothing: never.
std::optional<std::chrono::microseconds> WatchdogPeriod();

}  // namespace pawl::platform
