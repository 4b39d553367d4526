// One line an event, to standard error: "download: resume chunk=12 chunks=70". Never a secret.
#pragma once

#include <string_view>

#include "base/result.h"

namespace pawl::agent {

// Control characters are replaced, so that what a peer says cannot forge a line. Threads: any.
void Log(std::string_view line);
// "what: reason: detail"
void LogError(std::string_view what, const Error& error);

}  // namespace pawl::agent
