#include "agent/core/cell.h"

#include "base/assert.h"
#include "base/text.h"

namespace pawl::agent {
namespace {

constexpr std::size_t kVersionAt = 4;
constexpr std::size_t kGenerationAt = 8;
constexpr std::size_t kPayloadAt = 16;
constexpr std::size_t kCrcAt = kCellBytes - 4;

Error Complaint(const CellKind& kind, Reason reason, std::string_view what) {
  Error error{reason, kind.name};
  error.detail.append(": ").append(what);
  return error;
}

}  // namespace

CellBytes EncodeCell(const CellKind& kind, const Cell& cell) {
  CellBytes bytes{};
  std::ranges::copy(kind.magic, bytes.begin());
  StoreLe<std::uint32_t>(MutableBytes(bytes).subspan(kVersionAt), kind.version);
  StoreLe<std::uint64_t>(MutableBytes(bytes).subspan(kGenerationAt), cell.generation);
  std::ranges::copy(cell.payload, bytes.begin() + kPayloadAt);
  StoreLe<std::uint32_t>(MutableBytes(bytes).subspan(kCrcAt), Crc32(ByteView(bytes).first(kCrcAt)));
  return bytes;
}

Result<Cell> DecodeCell(const CellKind& kind, ByteView bytes) {
  if (bytes.size() != kCellBytes) return std::unexpected(Complaint(kind, Reason::kCorrupt, "wrong size"));
  if (!std::ranges::equal(kind.magic, bytes.first(4))) {
    return std::unexpected(Complaint(kind, Reason::kCorrupt, "no magic"));
  }
  if (LoadLe<std::uint32_t>(bytes.subspan(kCrcAt)) != Crc32(bytes.first(kCrcAt))) {
    return std::unexpected(Complaint(kind, Reason::kCorrupt, "wrong checksum"));
  }
  if (LoadLe<std::uint32_t>(bytes.subspan(kVersionAt)) != kind.version) {
    return std::unexpected(Complaint(kind, Reason::kUnsupportedVersion, "written by another version of the agent"));
  }
  Cell cell;
  cell.generation = LoadLe<std::uint64_t>(bytes.subspan(kGenerationAt));
  std::ranges::copy(bytes.subspan(kPayloadAt, kCellPayloadBytes), cell.payload.begin());
  return cell;
}

Result<std::optional<Cell>> NewestCell(const CellKind& kind, ByteView first, ByteView second) {
  std::optional<Cell> newest;
  for (const ByteView copy : {first, second}) {
    auto cell = DecodeCell(kind, copy);
    if (!cell) {
      if (cell.error().reason == Reason::kUnsupportedVersion) return std::unexpected(cell.error());
      continue;
    }
    if (!newest || cell->generation > newest->generation) newest = *cell;
  }
  return newest;
}

void PayloadWriter::Bytes(ByteView bytes) {
  PAWL_ASSERT(bytes.size() <= to_.size());
  std::ranges::copy(bytes, to_.begin());
  to_ = to_.subspan(bytes.size());
}

void PayloadReader::Bytes(MutableBytes to) {
  if (to.size() > from_.size()) {
    whole_ = false;
    from_ = {};
    return;
  }
  std::ranges::copy(from_.first(to.size()), to.begin());
  from_ = from_.subspan(to.size());
}

}  // namespace pawl::agent
