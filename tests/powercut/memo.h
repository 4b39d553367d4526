// Verification that remembers (memo.cc), for speed. What it answers, the real VerifySlot answered for the same bytes.
#pragma once

#include <cstdint>

namespace pawl::powercut {

// How often a verdict was asked for. Zero after a boot: the linker's --wrap does not work any more.
std::uint64_t VerdictsRemembered();

}  // namespace pawl::powercut
