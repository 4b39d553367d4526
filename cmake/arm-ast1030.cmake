# QEMU's `ast1030-evb` machine: a Cortex-M4.
set(PAWL_CPU_FLAGS "-mcpu=cortex-m4 -mthumb -mfloat-abi=soft")
include(${CMAKE_CURRENT_LIST_DIR}/arm-none-eabi.cmake)
