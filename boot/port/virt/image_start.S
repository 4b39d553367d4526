@ The first instructions of an image (behind its vector table). It runs at any address: it moves its own addresses before
@ any C++ code, and takes over the exceptions.
  .syntax unified
  .arm

  .equ R_ARM_RELATIVE, 23

  .section .text.PawlStart, "ax"
  .global PawlStart
  .type PawlStart, %function
PawlStart:
  cpsid aif, #0x13
  adr r0, .Lstack
  ldr r1, [r0]
  add sp, r0, r1
  adr r0, .Lbase
  ldr r1, [r0]
  add r4, r0, r1              @ where the image lies
  adr r0, .Lrelocations
  ldr r1, [r0]
  add r5, r0, r1
  adr r0, .Lrelocations_end
  ldr r1, [r0]
  add r6, r0, r1
1:
  cmp r5, r6
  beq 2f
  ldmia r5!, {r2, r3}
  cmp r3, #R_ARM_RELATIVE     @ the linker makes no other kind
  udfne #0
  ldr r3, [r4, r2]
  add r3, r3, r4
  str r3, [r4, r2]
  b 1b
2:
  mcr p15, 0, r4, c12, c0, 0  @ VBAR: the vector table is the image's start
  isb
  blx PawlRun
  b .
.Lstack: .word __stack_end - .
.Lbase: .word PawlVectors - .
.Lrelocations: .word __relocations_start - .
.Lrelocations_end: .word __relocations_end - .
  .size PawlStart, . - PawlStart
