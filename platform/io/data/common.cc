#include "platform/io/data/common.h"

#include <sys/random.h>

#include <cerrno>

#include "base/assert.h"
#include "base/text.h"

namespace pawl::data {

void RandomBytes(MutableBytes to) {
  while (!to.empty()) {
    const ssize_t got = ::getrandom(to.data(), to.size(), 0);
    PAWL_ASSERT(got > 0 || errno == EINTR);  // the flag-less call has no other failure
    if (got > 0) to = to.subspan(static_cast<std::size_t>(got));
  }
}

std::string NewId(std::int64_t now_ms) {
  std::array<std::uint8_t, 16> id{};
  StoreBe<std::uint64_t>(id, static_cast<std::uint64_t>(now_ms) << 16);
  RandomBytes(MutableBytes(id).subspan(6));
  return Hex(id);
}

Status CheckReason(std::string_view reason) {
  if (reason.size() <= kMaxReasonBytes) return {};
  return Fail(Reason::kInvalidArgument, "a reason has at most 200 bytes");
}

std::string Hex(ByteView bytes) {
  std::string text(2 * bytes.size(), '\0');
  HexEncode(bytes, text);
  return text;
}

}  // namespace pawl::data
