// However a stream is cut, the events are the same; and nothing that comes out breaks a terminal.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "cli/sse.h"
#include "cli/text.h"

namespace {

struct Run {
  std::string events;
  bool failed = false;
};

Run Parse(std::string_view bytes, std::size_t piece) {
  pawl::cli::SseParser parser;
  Run run;
  while (!bytes.empty() && !run.failed) {
    run.failed = !parser.Feed(bytes.substr(0, piece), [&](const pawl::cli::SseEvent& event) {
      run.events += event.id + '\0' + event.kind + '\0' + event.data + '\0';
    });
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  return run;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Run whole = Parse(bytes, size + 1);
  const Run pieces = Parse(bytes, size % 7 + 1);
  PAWL_ASSERT(whole.events == pieces.events && whole.failed == pieces.failed);
  for (const char c : pawl::cli::Sanitise(bytes)) PAWL_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  return 0;
}
