// The ledger and journal cells, as a damaged data partition could hold them: with the checksum mended, so that the
// fuzzer reaches what lies behind it.
#include <cstdint>

#include "agent/core/ledger.h"
#include "base/assert.h"

namespace pawl::agent {
namespace {

void TryPayload(ByteView bytes) {
  Cell cell;
  cell.generation = 1;
  std::ranges::copy(bytes.first(std::min(bytes.size(), cell.payload.size())), cell.payload.begin());
  const auto back = DecodeCell(kLedgerKind, EncodeCell(kLedgerKind, cell));
  PAWL_ASSERT(back && back->payload == cell.payload);
  const auto ledger = DecodeLedger(back->payload);
  if (!ledger) return;
  const auto again = DecodeLedger(EncodeLedger(*ledger));
  PAWL_ASSERT(again && EncodeLedger(*again) == EncodeLedger(*ledger));
}

void TryCells(ByteView bytes) {
  const std::size_t half = bytes.size() / 2;
  const auto newest = NewestCell(kLedgerKind, bytes.first(half), bytes.subspan(half));
  if (newest && *newest) static_cast<void>(DecodeLedger((*newest)->payload));
}

}  // namespace
}  // namespace pawl::agent

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pawl::agent::TryPayload({data, size});
  pawl::agent::TryCells({data, size});
  return 0;
}
