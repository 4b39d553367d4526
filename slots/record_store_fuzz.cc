// Any bytes as the record's region: loading is total, what was found is found again, and a commit holds. Where a cell
// begins with 'C', it gets the magic and its CRC, so that the fuzzer gets past them.
#include <algorithm>

#include "base/text.h"
#include "slots/fake_flash.h"
#include "slots/record_store.h"

namespace {

void MendCells(pawl::MutableBytes region) {
  using namespace pawl;
  for (; region.size() >= kRecordCellBytes; region = region.subspan(kRecordCellBytes)) {
    if (region[0] != 'C') continue;
    std::ranges::copy(std::string_view("PWR1"), region.begin());
    StoreLe(region.subspan(kRecordCellBytes - 4, 4), Crc32(region.first(kRecordCellBytes - 4)));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pawl;
  FakeFlash flash{2, 8 * kRecordCellBytes};
  std::copy_n(data, std::min(size, flash.bytes_now().size()), flash.bytes_now().begin());
  MendCells(flash.bytes_now());
  RecordStore store(flash);
  const RecordState peeked = store.Peek();
  const RecordState found = store.Load();
  PAWL_ASSERT(found == peeked);
  RecordStore again(flash);
  PAWL_ASSERT(again.Load() == found);
  BootRecord next = found.record;
  next.trial += 1;
  PAWL_ASSERT(again.Commit(next).has_value());
  RecordStore last(flash);
  PAWL_ASSERT(last.Load().kind == RecordKind::kValid && last.state().record.trial == next.trial);
  return 0;
}
