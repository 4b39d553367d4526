@ The first instructions after a reset, from ROM.
  .syntax unified
  .arm

  .section .text.PawlStart, "ax"
  .global PawlStart
  .type PawlStart, %function
PawlStart:
  cpsid aif, #0x13
  ldr sp, =__stack_end
  blx PawlRun
  b .
  .size PawlStart, . - PawlStart
