// Whether this build carries texts for people. A size-minded bootloader (CMake: PAWL_BRIEF) has none: a failure is its
// reason's number, and details are empty. What is checked, decided and stored is the same in both.
#pragma once

namespace pawl {

#ifdef PAWL_BRIEF
inline constexpr bool kBrief = true;
#else
inline constexpr bool kBrief = false;
#endif

// `text`, or nothing in a brief build.
constexpr const char* Wordy(const char* text) { return kBrief ? "" : text; }

}  // namespace pawl
