#include "agent/io/sealer.h"

#include <fcntl.h>

#include <algorithm>
#include <vector>

#include "agent/io/boot_control.h"
#include "slots/slot.h"

namespace pawl::agent {
namespace {

constexpr std::size_t kReadBytes = 256UL * 1024;
constexpr std::size_t kSliceBytes = 4 << 20;

}  // namespace

Status Sealer::Start(FileFlash& slot, const KeyTable& keys, ByteView envelope, const Digest& image_digest,
                     std::uint64_t image_bytes) {
  if (const Status written = WriteEnvelope(slot, envelope); !written) {
    return Fail(Reason::kSlotWrite, written.error().detail.view());
  }
  // What is read back is to come from the medium, not from memory. Best effort: it is durable already.
  static_cast<void>(::posix_fadvise(slot.fd(), 0, 0, POSIX_FADV_DONTNEED));
  slot_ = &slot;
  keys_ = &keys;
  image_digest_ = image_digest;
  image_bytes_ = image_bytes;
  read_ = 0;
  hash_ = crypto::Sha256();
  return {};
}

std::optional<Status> Sealer::Work() {
  Status step;
  const std::uint64_t until = std::min<std::uint64_t>(image_bytes_, read_ + kSliceBytes);
  while (step && read_ < until) step = ReadSlice();
  if (step && read_ < image_bytes_) return std::nullopt;
  if (step) step = Finish();
  slot_ = nullptr;
  return step;
}

Status Sealer::ReadSlice() {
  std::vector<std::uint8_t> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(kReadBytes, image_bytes_ - read_)));
  if (const Status got = slot_->Read(read_, buffer); !got) return Fail(Reason::kImageDigest, got.error().detail.view());
  hash_.Update(buffer);
  read_ += buffer.size();
  return {};
}

Status Sealer::Finish() {
  if (hash_.Finish() != image_digest_) return Fail(Reason::kImageDigest, "read back from the slot");
  PAWL_ASSIGN(const VerifiedManifest manifest, ReadManifest(*slot_, *keys_));
  if (manifest.get().image_digest != image_digest_ || manifest.get().image_bytes != image_bytes_) {
    return Fail(Reason::kImageDigest, "the envelope in the slot is another one");
  }
  return {};
}

}  // namespace pawl::agent
