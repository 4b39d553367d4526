@ The vector table of the bootloader. It stays in use while an image runs, unless that sets one of its own.
  .syntax unified
  .thumb

  .section .vectors, "a"
  .word __stack_end
  .word PawlStart
  .rept 14              @ NMI, faults, calls and the system's timer: none is wanted
  .word PawlFault
  .endr

  .section .text.PawlStart, "ax"
  .global PawlStart
  .type PawlStart, %function
PawlStart:
  cpsid i
  b PawlRun
  .size PawlStart, . - PawlStart
