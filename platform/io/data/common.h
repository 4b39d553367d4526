// What all modules of the data layer share: ids, pages, actors, time.
//
// Every function of the layer takes an open transaction and returns a Result; a failure rolls the whole write back.
// Changing functions write their audit row and their events in the same transaction. Times are milliseconds since 1970
// (`_ms`) unless the name says `_s`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "platform/io/data/sql.h"

namespace pawl::data {

inline constexpr std::size_t kMaxPage = 1000;
inline constexpr std::size_t kMaxNameBytes = 128;
inline constexpr std::size_t kMaxReasonBytes = 200;  // an operator's; travels to devices

// Who did it, for audit and events: a token's name, "platform", or "device <id>".
struct Actor {
  std::string name;
};
inline Actor Platform() { return {"platform"}; }

template <class T>
struct Page {
  std::vector<T> items;
  std::optional<std::string> next;  // the cursor of the next page, if there is one
};
struct PageRequest {
  std::size_t limit = 100;  // 1..kMaxPage; others are cut to that
  std::string after;        // cursor of the page before; empty: from the start
};

// 48 bits of time and 80 random bits, as 32 hex digits: opaque, global, sorted by creation.
std::string NewId(std::int64_t now_ms);
// Fills with bytes of the operating system's generator.
void RandomBytes(MutableBytes to);

std::string Hex(ByteView bytes);  // lower case

Status CheckReason(std::string_view reason);  // errors: invalid argument (too long)

}  // namespace pawl::data
