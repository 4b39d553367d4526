# QEMU's `virt` machine with a Cortex-A15. No floating point: nothing needs it, and so nobody has to switch the unit on.
# The MMU stays off, and then the core takes no unaligned loads.
set(PAWL_CPU_FLAGS "-mcpu=cortex-a15+nofp -mthumb -mfloat-abi=soft -mno-unaligned-access")
include(${CMAKE_CURRENT_LIST_DIR}/arm-none-eabi.cmake)
