#include "cli/sse.h"

namespace pawl::cli {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

}  // namespace

Status SseParser::Feed(std::string_view bytes, const std::function<void(const SseEvent&)>& sink) {
  for (const char c : bytes) {
    if (too_large_) break;
    const bool second_half_of_crlf = c == '\n' && after_cr_;
    after_cr_ = c == '\r';
    if (second_half_of_crlf) continue;
    if (c == '\n' || c == '\r') {
      Line(sink);
      line_.clear();
    } else {
      line_ += c;
    }
    too_large_ = too_large_ || line_.size() > kMaxLineBytes || event_.data.size() > kMaxDataBytes;
  }
  if (too_large_) return pawl::Fail(Reason::kTooLarge, "an event of the stream is over its limit");
  return {};
}

void SseParser::Line(const std::function<void(const SseEvent&)>& sink) {
  std::string_view line = line_;
  if (first_line_ && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  first_line_ = false;
  if (!line.empty()) {
    const std::size_t colon = line.find(':');
    if (colon == 0) return;  // a comment: the heartbeat
    std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    Field(line.substr(0, colon), value);
    return;
  }
  event_.id = next_id_;
  if (has_data_) sink(event_);
  event_.data.clear();
  event_.kind.clear();
  has_data_ = false;
}

void SseParser::Field(std::string_view name, std::string_view value) {
  if (name == "data") {
    if (has_data_) event_.data += '\n';
    event_.data += value;
    has_data_ = true;
  } else if (name == "event") {
    event_.kind = value;
  } else if (name == "id" && value.find('\0') == std::string_view::npos) {
    next_id_ = value;
  }
}

}  // namespace pawl::cli
