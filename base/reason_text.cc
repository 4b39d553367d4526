#include "base/reason.h"

namespace pawl {
namespace {

struct ReasonText {
  Reason reason;
  std::string_view text;
};
constexpr ReasonText kTexts[] = {
#define PAWL_REASON(number, name, text, meaning, remedy) {Reason::name, text},
#include "base/reasons.def"
#undef PAWL_REASON
};

}  // namespace

std::string_view Text(Reason reason) {
  for (const ReasonText& entry : kTexts) {
    if (entry.reason == reason) return entry.text;
  }
  return "unknown reason";
}

BoundedText<40> Name(Reason reason) {
  BoundedText<40> name;
  if constexpr (kBrief) return name.append_number(static_cast<std::uint64_t>(reason));
  return name.append(Text(reason));
}

}  // namespace pawl
