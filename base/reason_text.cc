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

// Not append_number: its 64-bit division costs a small core more than the decision that calls this.
[[maybe_unused]] BoundedText<40> Decimal(std::uint16_t number) {
  std::array<char, 5> digits{};
  std::size_t first = digits.size();
  for (unsigned left = number; first == digits.size() || left != 0; left /= 10) {
    digits[--first] = static_cast<char>('0' + left % 10);
  }
  return std::string_view(&digits[first], digits.size() - first);
}

}  // namespace

std::string_view Text(Reason reason) {
  for (const ReasonText& entry : kTexts) {
    if (entry.reason == reason) return entry.text;
  }
  return "unknown reason";
}

BoundedText<40> Name(Reason reason) {
  if constexpr (kBrief) return Decimal(static_cast<std::uint16_t>(reason));
  return Text(reason);
}

}  // namespace pawl
