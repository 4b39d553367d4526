// What a reader gives out is packed to the same payload again; whatever came before, two frames later it is in step.
#include "base/assert.h"
#include "wire/serial/frame.h"

namespace {

using namespace pawl;
using namespace pawl::serial;

int Read(FrameReader& reader, ByteView bytes, ByteView expected) {
  int found = 0;
  for (const std::uint8_t byte : bytes) {
    const auto got = reader.Take(byte);
    const auto* payload = std::get_if<FrameReader::Payload>(&got);
    if (payload != nullptr && Equal(payload->bytes, expected)) ++found;
  }
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  FrameReader reader;
  for (const std::uint8_t byte : input) {
    const auto got = reader.Take(byte);
    if (const auto* text = std::get_if<FrameReader::Text>(&got)) PAWL_ASSERT(text->c != 0);
    const auto* payload = std::get_if<FrameReader::Payload>(&got);
    if (payload == nullptr) continue;
    FrameReader fresh;
    const Frame again = Pack(payload->bytes);
    PAWL_ASSERT(Read(fresh, again, payload->bytes) == 1);
  }
  const ByteView payload = input.first(std::min(size, kMaxPayloadBytes));
  const Frame frame = Pack(payload);
  PAWL_ASSERT(Read(reader, frame, payload) + Read(reader, frame, payload) >= 1);
  return 0;
}
