@ The first instructions of an image: it runs at any address, so it moves its own addresses before any C code.
  .syntax unified
  .thumb

  .equ R_ARM_RELATIVE, 23

  .section .start, "ax"
  .global PawlImageStart
  .type PawlImageStart, %function
PawlImageStart:
.Lbase:
  cpsid i
  adr r4, .Lbase              @ where the image lies: the words below are offsets from here
  ldr r0, .Lstack
  add r0, r4
  mov sp, r0

  ldr r0, .Lrelocations
  ldr r1, .Lrelocations_end
  add r0, r4
  add r1, r4
1:
  cmp r0, r1
  beq PawlRun
  ldmia r0!, {r2, r3}
  cmp r3, #R_ARM_RELATIVE     @ the linker makes no other kind
  bne .Lother
  ldr r3, [r4, r2]
  add r3, r4
  str r3, [r4, r2]
  b 1b
.Lother:
  udf #0

  .align 2
.Lstack:
  .word __stack_end - .Lbase
.Lrelocations:
  .word __relocations_start - .Lbase
.Lrelocations_end:
  .word __relocations_end - .Lbase
  .size PawlImageStart, . - .Lbase
