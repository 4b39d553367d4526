@ The vector table, for the bootloader and for an image: both begin with it, so its first entry is the program's. Every
@ exception ends in PawlException(kind, address of the instruction), on a fresh stack.
  .syntax unified
  .arm

  .section .vectors, "ax"
  .balign 32
  .global PawlVectors
PawlVectors:
  b PawlStart
  b .Lundefined
  b .Lcall
  b .Lfetch
  b .Ldata
  b .                   @ not used by the architecture
  b .Linterrupt
  b .Linterrupt

.Lundefined:
  mrs r0, spsr
  tst r0, #0x20         @ Thumb: the return address is 2 behind
  subne r1, lr, #2
  subeq r1, lr, #4
  mov r0, #0
  b .Lreport
.Lcall:
  sub r1, lr, #4
  mov r0, #1
  b .Lreport
.Lfetch:
  sub r1, lr, #4
  mov r0, #2
  b .Lreport
.Ldata:
  sub r1, lr, #8
  mov r0, #3
  b .Lreport
.Linterrupt:
  sub r1, lr, #4
  mov r0, #4
.Lreport:
  cpsid aif, #0x13      @ supervisor mode, everything masked
  ldr r2, .Lstack
  adr r3, .Lstack
  add sp, r2, r3
  blx PawlException
.Lstack: .word __stack_end - .
