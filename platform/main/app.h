// The platform, wired: everything that pawld runs, from the first start to the graceful stop.
#pragma once

#include <functional>

#include "base/result.h"
#include "platform/main/config.h"

namespace pawl::platform {

// Gives the configuration anew, for SIGHUP.
using Reload = std::function<Result<Config>()>;

// Runs until SIGTERM or SIGINT. Precondition: SIGTERM, SIGINT and SIGHUP are blocked in this, the only, thread.
// Crash-safe: what the first start makes is made piece by piece, each whole or not there; a start goes on where the
// last one was cut off. Errors: whatever keeps the platform from starting, with what to do.
Status Run(const Config& config, const Reload& reload);

}  // namespace pawl::platform
