// A cell that decodes is exactly the cell that its record encodes to. The CRC is also mended, so that the fuzzer gets
// past it.
#include "base/assert.h"
#include "base/text.h"
#include "slots/boot_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pawl;
  const ByteView input(data, size);
  if (const auto record = DecodeRecord(input)) PAWL_ASSERT(Equal(EncodeRecord(*record), input));
  if (size != kRecordCellBytes) return 0;
  RecordCell cell;
  std::ranges::copy(input, cell.begin());
  StoreLe(MutableBytes(cell).last(4), Crc32(ByteView(cell).first(kRecordCellBytes - 4)));
  if (const auto record = DecodeRecord(cell)) PAWL_ASSERT(EncodeRecord(*record) == cell);
  return 0;
}
