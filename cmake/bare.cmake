# Builds for a board without operating system (PAWL_BOARD): its bootloader and its images, over boot/port/<board>.

enable_language(ASM)

set(CMAKE_CXX_FLAGS_RELEASE "-Os -g1")
set(CMAKE_C_FLAGS_RELEASE "-Os -g1")
set(CMAKE_ASM_FLAGS_RELEASE "-g1")
# An image runs in the RAM area of either slot. The bootloader stays where it is linked: see pawl_fixed_library.
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
add_compile_options(-fpie -fvisibility=hidden)
add_compile_options(-ffunction-sections -fdata-sections -fno-common -fno-unwind-tables -fno-asynchronous-unwind-tables)
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions>
                    $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti>
                    $<$<COMPILE_LANGUAGE:CXX>:-fno-threadsafe-statics>
                    $<$<COMPILE_LANGUAGE:CXX>:-fno-use-cxa-atexit>)
# No path of the build machine in what is burnt into ROM; the same bytes wherever it is built.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
# Last of all: any library may need it.
set(CMAKE_CXX_STANDARD_LIBRARIES -lgcc)
add_link_options(-nostdlib -Wl,--gc-sections -Wl,--fatal-warnings -Wl,--build-id=none)

option(PAWL_BRIEF "A smaller bootloader: reasons as numbers, no details (base/brief.h)" OFF)
if(PAWL_BRIEF)
  add_compile_definitions(PAWL_BRIEF)
endif()

set(PAWL_PORT ${CMAKE_SOURCE_DIR}/boot/port/${PAWL_BOARD})

# Links bin/NAME.elf by the board's linker script, and makes bin/NAME.bin of it: the bytes as they lie in memory.
function(pawl_bare_link name script)
  set_target_properties(${name} PROPERTIES SUFFIX .elf LINK_DEPENDS ${PAWL_PORT}/${script})
  target_link_options(${name} PRIVATE -T${PAWL_PORT}/${script} -Wl,-Map=$<TARGET_FILE_DIR:${name}>/${name}.map)
  add_custom_command(TARGET ${name} POST_BUILD
    COMMAND ${CMAKE_OBJCOPY} -O binary $<TARGET_FILE:${name}> $<TARGET_FILE_DIR:${name}>/${name}.bin)
endfunction()

# pawl_fixed_library(NAME SOURCES a.cc... LINKS b...): the twin of a library, NAME_fixed, that is not position-independent
# and 3 % smaller. Built only where a bootloader links it.
function(pawl_fixed_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINKS")
  add_library(${name}_fixed STATIC EXCLUDE_FROM_ALL ${arg_SOURCES})
  target_compile_options(${name}_fixed PRIVATE -fno-pie)
  pawl_link_fixed(${name}_fixed PUBLIC ${arg_LINKS})
endfunction()

# Links the twin of each library that has one.
function(pawl_link_fixed target scope)
  foreach(link IN LISTS ARGN)
    target_link_libraries(${target} ${scope} $<IF:$<TARGET_EXISTS:${link}_fixed>,${link}_fixed,${link}>)
  endforeach()
endfunction()

# pawl_bootloader(NAME SOURCES a.S b.cc... LINKS c...): runs from the board's ROM, by its bootloader.ld.
function(pawl_bootloader name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINKS")
  add_executable(${name} ${arg_SOURCES})
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-pie>)
  pawl_link_fixed(${name} PRIVATE ${arg_LINKS})
  pawl_bare_link(${name} bootloader.ld)
endfunction()

# pawl_image(NAME SOURCES a.cc... LINKS b...): what a slot holds. Runs wherever it lies: the board's image_start.S moves
# its addresses. Its sources define PawlMain (boot/port/bare/runtime.h).
function(pawl_image name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINKS")
  add_executable(${name} ${PAWL_PORT}/image_start.S ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINKS} pawl_board pawl_bare)
  target_link_options(${name} PRIVATE -pie -Wl,--no-dynamic-linker -Wl,-z,text)
  pawl_bare_link(${name} image.ld)
endfunction()
