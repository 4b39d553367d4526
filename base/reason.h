// The reason codes of pawl as an enum, with their texts. Freestanding. Source: base/reasons.def.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bounded.h"

namespace pawl {

enum class Reason : std::uint16_t {
#define PAWL_REASON(number, name, text, meaning, remedy) name = number,
#include "base/reasons.def"
#undef PAWL_REASON
};

struct ReasonEntry {
  Reason reason;
  std::string_view text;     // what a person reads: "invalid signature"
  std::string_view meaning;  // one sentence
  std::string_view remedy;   // what to do
};

// The whole table, in the order of its numbers. Lifetime: static.
struct ReasonTable {
  const ReasonEntry* first;
  std::size_t count;
  const ReasonEntry* begin() const { return first; }
  const ReasonEntry* end() const { return first + count; }
};
ReasonTable AllReasons();

// The entry of a reason. Total: a value without an entry (a newer peer's) gives the text "unknown reason".
const ReasonEntry& Describe(Reason reason);
// Its `text` alone, from a table and a source of its own: a bootloader says no more, so it holds no more.
std::string_view Text(Reason reason);
// Its text, or its number where a build is brief (base/brief.h).
using ReasonName = std::conditional_t<kBrief, Decimal<std::uint16_t>, BoundedText<40>>;
ReasonName Name(Reason reason);

}  // namespace pawl
