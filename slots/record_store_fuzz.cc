// Any bytes as the record's region: loading is total, what was found is found again, and a commit holds.
#include <algorithm>

#include "slots/fake_flash.h"
#include "slots/record_store.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pawl;
  FakeFlash flash{2, 8 * kRecordCellBytes};
  std::copy_n(data, std::min(size, flash.bytes_now().size()), flash.bytes_now().begin());
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
