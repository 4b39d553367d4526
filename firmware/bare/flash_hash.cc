#include "firmware/bare/flash_hash.h"

namespace pawl::firmware {

Status HashPart(Flash& flash, std::uint64_t offset, std::uint64_t bytes, crypto::Sha256& hash) {
  std::array<std::uint8_t, 1024> buffer;
  for (std::uint64_t done = 0; done < bytes;) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), bytes - done));
    const MutableBytes part = MutableBytes(buffer).first(size);
    PAWL_TRY(flash.Read(static_cast<FlashOffset>(offset + done), part));
    hash.Update(part);
    done += size;
  }
  return {};
}

}  // namespace pawl::firmware
