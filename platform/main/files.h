// The data directory's lock, and where pawld's parts are.
#pragma once

#include <string>

#include "base/hosted/files.h"
#include "base/result.h"

namespace pawl::platform {

// Held while this process uses the data directory; freed by the kernel when it ends.
// Errors: conflict (another pawld has it; its process id), i/o error.
Result<OwnedFd> LockDataDirectory(const std::string& directory);

// A program or library that was installed with pawld: beside this program, or in ../lib, ../lib/pawl, ../libexec/pawl.
// Errors: not found, with the places.
Result<std::string> FindBeside(const std::string& name);

}  // namespace pawl::platform
