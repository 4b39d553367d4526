#include "boot/port/bare/runtime.h"

#include <cstddef>
#include <cstdint>

#include "boot/port/board.h"

#pragma GCC visibility push(hidden)
extern "C" {
extern const std::uint32_t __data_load[];
extern std::uint32_t __data_start[];
extern std::uint32_t __data_end[];
extern std::uint32_t __bss_start[];
extern std::uint32_t __bss_end[];
using Constructor = void (*)();
extern const Constructor __init_array_start[];
extern const Constructor __init_array_end[];
}
#pragma GCC visibility pop

extern "C" void PawlRun() {
  if (&__data_load[0] != &__data_start[0]) {
    const std::uint32_t* from = __data_load;
    for (std::uint32_t* to = __data_start; to != __data_end; ++to) *to = *from++;
  }
  for (std::uint32_t* word = __bss_start; word != __bss_end; ++word) *word = 0;
  for (const Constructor* constructor = __init_array_start; constructor != __init_array_end; ++constructor) {
    (*constructor)();
  }
  PawlMain();
}

void pawl::AssertFailed(const char* expression, const char* file, int line) {
  BoundedText<160> text(file);
  text.append(":").append_number(static_cast<std::uint64_t>(line)).append(": bug: ").append(expression);
  board::Crash(text);
}

void pawl::AssertFailedBriefly() { board::Crash("bug"); }

// Nothing here has a heap. The compiler still refers to `delete` from each virtual destructor.
void operator delete(void*) noexcept { pawl::board::Crash("bug: delete without a heap"); }
void operator delete(void*, std::size_t) noexcept { pawl::board::Crash("bug: delete without a heap"); }
extern "C" void __cxa_pure_virtual() { pawl::board::Crash("bug: a pure virtual function was called"); }
