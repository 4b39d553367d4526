// A cell that decodes is exactly the cell that its record encodes to.
#include "base/assert.h"
#include "slots/boot_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pawl;
  const ByteView input(data, size);
  if (const auto record = DecodeRecord(input)) PAWL_ASSERT(Equal(EncodeRecord(*record), input));
  return 0;
}
