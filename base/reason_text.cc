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

// A template, so that the one that this build has not is not compiled.
template <class Named>
Named NameAs(Reason reason) {
  if constexpr (kBrief) {
    return Named(static_cast<std::uint16_t>(reason));
  } else {
    return Named(Text(reason));
  }
}

}  // namespace

std::string_view Text(Reason reason) {
  for (const ReasonText& entry : kTexts) {
    if (entry.reason == reason) return entry.text;
  }
  return "unknown reason";
}

ReasonName Name(Reason reason) { return NameAs<ReasonName>(reason); }

}  // namespace pawl
