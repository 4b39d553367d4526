// What a program without operating system stands on: bootloader and image alike. The board's start code sets up a stack
// and calls PawlRun; the program is PawlMain.
//
// The linker script provides: __data_load, __data_start, __data_end (initialised data: where its bytes lie, where it is
// to be; an image's lie where they are to be), __bss_start, __bss_end, __init_array_start, __init_array_end. All
// word-aligned.
#pragma once

// The program: defined once by each bootloader (boot/port/bare/boot_main.cc) and each image.
extern "C" [[noreturn]] void PawlMain();

// The start code calls it once, on the program's stack, with its addresses moved to where it runs.
extern "C" [[noreturn]] void PawlRun();
