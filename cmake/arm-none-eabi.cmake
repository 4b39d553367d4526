# What the ARM boards have in common: Debian's bare-metal compiler (packages gcc-arm-none-eabi and
# libstdc++-arm-none-eabi-newlib). Included by the toolchain file of each board, which sets PAWL_CPU_FLAGS.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_CXX_COMPILER arm-none-eabi-g++)
set(CMAKE_ASM_COMPILER arm-none-eabi-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

set(CMAKE_C_FLAGS_INIT "${PAWL_CPU_FLAGS}")
set(CMAKE_CXX_FLAGS_INIT "${PAWL_CPU_FLAGS}")
set(CMAKE_ASM_FLAGS_INIT "${PAWL_CPU_FLAGS}")

set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
