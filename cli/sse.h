// Server-sent events (WHATWG HTML, section 9.2): bytes in, events out. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pawl::cli {

struct SseEvent {
  std::string id;    // the stream's last id, also from earlier events
  std::string kind;  // "event:"; empty: not given
  std::string data;
};

class SseParser {
 public:
  static constexpr std::size_t kMaxLineBytes = 1 << 18;
  static constexpr std::size_t kMaxDataBytes = 1 << 20;

  // Takes the next bytes, however they were cut; calls `sink` for each event that ends in them.
  // Errors: too large; from then on every call fails.
  Status Feed(std::string_view bytes, const std::function<void(const SseEvent&)>& sink);
  // For Last-Event-ID; changes only when an event is complete.
  const std::string& last_id() const { return event_.id; }

 private:
  void Line(const std::function<void(const SseEvent&)>& sink);
  void Field(std::string_view name, std::string_view value);

  SseEvent event_;
  std::string line_;
  std::string next_id_;
  bool has_data_ = false;
  bool after_cr_ = false;
  bool first_line_ = true;
  bool too_large_ = false;
};

}  // namespace pawl::cli
