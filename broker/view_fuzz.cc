// The view's reader takes any bytes: it refuses them, or every entry it shows is well-formed and found again.
#include <vector>

#include "base/assert.h"
#include "broker/view.h"

namespace {

void Read(const std::uint8_t* data, std::size_t size) {
  const auto view = pawl::broker::ViewBytes::Parse({data, size});
  if (!view) return;
  for (std::size_t i = 0; i < view->size(); ++i) {
    const std::uint8_t* id = data + pawl::broker::kViewHeaderBytes + i * pawl::broker::kViewEntryBytes;
    const auto entry = view->Find(reinterpret_cast<const char*>(id));
    PAWL_ASSERT(entry && !entry->id.empty() && entry->pin_count <= pawl::broker::kMaxPins);
    PAWL_ASSERT(reinterpret_cast<const std::uint8_t*>(entry->id.data()) == id);
  }
  (void)pawl::broker::Admit(*view, "dev-1", pawl::Digest{}, view->heartbeat_ms());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Read(data, size);
  if (size < pawl::broker::kViewHeaderBytes) return 0;
  std::vector<std::uint8_t> mended(data, data + size);  // past the checksum, to what lies behind it
  pawl::StoreLe<std::uint64_t>(pawl::MutableBytes(mended).subspan(40, 8), pawl::broker::ViewChecksum(mended));
  Read(mended.data(), mended.size());
  return 0;
}
