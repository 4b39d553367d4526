// The ROM data: what the factory puts beside the bootloader into the read-only bank.
//
// Format  docs/spec/boot.md, "The virt board": at kRomData "PWROM1" | 0 0 | watchdog_ms u32 | anchors length u32 |
//         identity length u32 | SHA-256 of anchors | SHA-256 of identity | CRC-32 of all before; little endian. The
//         anchors lie 4 KiB behind the header's start, the identity 8 KiB.
#include "base/text.h"
#include "boot/port/virt/parts.h"
#include "trust/crypto/crypto.h"

namespace pawl::board {
namespace {

constexpr std::string_view kMagic{"PWROM1\0\0", 8};
constexpr std::uint32_t kAnchorsOffset = 4096;
constexpr std::uint32_t kIdentityOffset = 8192;
constexpr std::uint32_t kBlobBytesMax = 4096;
constexpr std::size_t kHeaderBytes = 88;

ByteView RomBytes(std::uint32_t offset, std::uint32_t bytes) {
  return {reinterpret_cast<const std::uint8_t*>(kRomData + offset), bytes};
}

// Empty, if it is damaged or not there.
ByteView Header() {
  const ByteView header = RomBytes(0, kHeaderBytes);
  const bool good = Equal(header.first(kMagic.size()), AsBytes(kMagic)) &&
                    Crc32(header.first(kHeaderBytes - 4)) == LoadLe<std::uint32_t>(header.last(4));
  return good ? header : ByteView{};
}

ByteView Blob(std::size_t length_at, std::size_t digest_at, std::uint32_t offset) {
  const ByteView header = Header();
  if (header.empty()) return {};
  const auto bytes = LoadLe<std::uint32_t>(header.subspan(length_at, 4));
  if (bytes > kBlobBytesMax) return {};
  const ByteView blob = RomBytes(offset, bytes);
  const Digest digest = crypto::Hash(blob);
  return Equal(digest, header.subspan(digest_at, digest.size())) ? blob : ByteView{};
}

}  // namespace

ByteView AnchorsInRom() { return Blob(12, 20, kAnchorsOffset); }
ByteView IdentityInRom() { return Blob(16, 52, kIdentityOffset); }

std::uint32_t WatchdogMs() {
  const ByteView header = Header();
  return header.empty() ? 0 : LoadLe<std::uint32_t>(header.subspan(8, 4));
}

}  // namespace pawl::board
