#include "base/reason.h"

namespace pawl {
namespace {

constexpr ReasonEntry kEntries[] = {
#define PAWL_REASON(number, name, text, meaning, remedy) {Reason::name, text, meaning, remedy},
#include "base/reasons.def"
#undef PAWL_REASON
};
constexpr ReasonEntry kUnknown{Reason::kNone, "unknown reason", "A newer pawl's reason.",
                               "Use a pawl that is at least as new."};

}  // namespace

ReasonTable AllReasons() { return {kEntries, sizeof(kEntries) / sizeof(kEntries[0])}; }

const ReasonEntry& Describe(Reason reason) {
  for (const ReasonEntry& entry : kEntries) {
    if (entry.reason == reason) return entry;
  }
  return kUnknown;
}

}  // namespace pawl
