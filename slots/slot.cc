#include "slots/slot.h"

namespace pawl {
namespace {

constexpr std::string_view kMagic = "PWE1";
constexpr std::uint32_t kMagicWord = 0x31455750;  // the same, little endian: its last byte, the version, is the highest
constexpr std::size_t kHeaderBytes = 8;

FlashOffset TrailerOffset(const Flash& slot) { return SlotImageBytesMax(slot.bytes()); }

}  // namespace

Result<ByteView> ReadEnvelope(Flash& slot, SlotTrailer& buffer) {
  const FlashOffset bytes = slot.bytes();
  if (bytes <= kSlotTrailerBytes) return Fail(Reason::kInvalidArgument, "a slot is larger than its 8 KiB trailer");
  PAWL_TRY(slot.Read(SlotImageBytesMax(bytes), buffer));
  const ByteView trailer = buffer;
  const auto magic = LoadLe<std::uint32_t>(trailer);
  if (magic << 8 != kMagicWord << 8) return Fail(Reason::kNotFound, "the slot holds no envelope");
  if (magic != kMagicWord) {
    return Fail(Reason::kUnsupportedVersion, "the slot's trailer has another version than 1");
  }
  const auto size = LoadLe<std::uint32_t>(trailer.subspan(kMagic.size(), 4));
  if (size == 0 || size > kSlotEnvelopeBytesMax)
    return Fail(Reason::kCorrupt, "the slot's envelope has no valid length");
  return trailer.subspan(kHeaderBytes, size);
}

Status EraseEnvelope(Flash& slot) {
  if (slot.bytes() <= kSlotTrailerBytes)
    return Fail(Reason::kInvalidArgument, "a slot is larger than its 8 KiB trailer");
  const FlashOffset sectors = slot.bytes() / slot.sector_bytes();
  for (FlashOffset sector = TrailerOffset(slot) / slot.sector_bytes(); sector < sectors; ++sector) {
    PAWL_TRY(slot.Erase(sector));
  }
  return slot.Flush();
}

Status WriteEnvelope(Flash& slot, ByteView envelope) {
  if (slot.bytes() <= kSlotTrailerBytes)
    return Fail(Reason::kInvalidArgument, "a slot is larger than its 8 KiB trailer");
  if (envelope.empty() || envelope.size() > kSlotEnvelopeBytesMax) {
    return Fail(Reason::kTooLarge, "the envelope does not fit into the slot's trailer (8184 bytes)");
  }
  std::array<std::uint8_t, kHeaderBytes> header{};
  std::ranges::copy(kMagic, header.begin());
  StoreLe(MutableBytes(header).subspan(kMagic.size(), 4), static_cast<std::uint32_t>(envelope.size()));
  PAWL_TRY(slot.Flush());  // the image first
  PAWL_TRY(slot.Program(TrailerOffset(slot) + kHeaderBytes, envelope));
  PAWL_TRY(slot.Program(TrailerOffset(slot), header));
  return slot.Flush();
}

}  // namespace pawl
