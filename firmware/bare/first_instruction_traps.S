@ The first instruction of an image that crashes. This word is undefined in ARM and in Thumb state.
  .section .first, "ax"
  .word 0xe7f0def0
