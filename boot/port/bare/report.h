// What the bootloader says on the console: one line a fact, in the words of pawl-machine.
#pragma once

#include "boot/core/boot.h"

namespace pawl::bare {

void ReportStart(ResetCause cause);
// The ROM cannot be used: nothing starts.
void ReportRefused(const Error& why);
// What was found, decided and committed; then what runs, or that nothing does.
void Report(const Booted& boot);

}  // namespace pawl::bare
