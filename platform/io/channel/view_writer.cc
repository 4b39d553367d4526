#include "platform/io/channel/view_writer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "platform/io/data/devices.h"

namespace pawl {
namespace {

Status AddEntry(broker::ViewBuilder& builder, const data::RegistryEntry& entry) {
  broker::ViewEntry row{.id = entry.id, .admitted = entry.admitted, .state = static_cast<std::uint8_t>(entry.state)};
  row.pin_count = std::min(entry.pins.size(), broker::kMaxPins);
  std::ranges::copy_n(entry.pins.begin(), static_cast<std::ptrdiff_t>(row.pin_count), row.pins.begin());
  return builder.Add(row);
}

}  // namespace

Result<std::uint64_t> ViewWriter::Refresh() {
  // Before the look at the database: what it says may be that old.
  const std::uint64_t now_ms = broker::BootTimeMs();
  std::vector<std::uint8_t> content;
  const auto generation = database_.Read([&](sql::Tx& tx) -> Result<std::uint64_t> {
    PAWL_ASSIGN(const std::uint64_t current, data::RegistryGeneration(tx));
    if (current == written_) return current;
    broker::ViewBuilder builder;
    PAWL_TRY(data::EachRegistryEntry(tx, [&](const data::RegistryEntry& entry) { return AddEntry(builder, entry); }));
    content = std::move(builder).Finish(current, now_ms);
    return current;
  });
  if (!generation) return generation;
  if (content.empty()) {
    PAWL_TRY(file_.Beat(now_ms));
    return generation;
  }
  PAWL_TRY(file_.Replace(content, reader_group_ ? 0640 : 0600, reader_group_));
  written_ = *generation;
  ++writes_;
  return generation;
}

}  // namespace pawl
