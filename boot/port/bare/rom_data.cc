#include "boot/port/bare/rom_data.h"

#include "base/text.h"
#include "trust/crypto/crypto.h"

namespace pawl::bare {
namespace {

constexpr std::string_view kMagic{"PWROM1\0\0", 8};
constexpr std::size_t kAnchorsAt = 4096;
constexpr std::size_t kIdentityAt = 8192;
constexpr std::size_t kBlobBytesMax = 4096;
constexpr std::size_t kHeaderBytes = 88;

ByteView Blob(ByteView room, std::uint32_t bytes, ByteView digest) {
  if (bytes > kBlobBytesMax) return {};
  const ByteView blob = room.first(bytes);
  return Equal(crypto::Hash(blob), digest) ? blob : ByteView{};
}

}  // namespace

RomData ReadRomData(ByteView rom) {
  const ByteView header = rom.first(kHeaderBytes);
  const bool good = Equal(header.first(kMagic.size()), AsBytes(kMagic)) &&
                    Crc32(header.first(kHeaderBytes - 4)) == LoadLe<std::uint32_t>(header.last(4));
  if (!good) return {};
  const auto number = [header](std::size_t at) { return LoadLe<std::uint32_t>(header.subspan(at, 4)); };
  return {.anchors = Blob(rom.subspan(kAnchorsAt, kBlobBytesMax), number(12), header.subspan(20, sizeof(Digest))),
          .identity = Blob(rom.subspan(kIdentityAt, kBlobBytesMax), number(16), header.subspan(52, sizeof(Digest))),
          .watchdog_ms = number(8)};
}

}  // namespace pawl::bare
