#include "boot/core/decide.h"

namespace pawl {

std::string_view Text(BootRow row) {
  switch (row) {
#define PAWL_BOOT_ROW(name, input, change, then) \
  case BootRow::k##name:                         \
    return #name;
#include "boot/core/boot_rows.def"
#undef PAWL_BOOT_ROW
  }
  return "";
}

}  // namespace pawl
