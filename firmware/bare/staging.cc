#include "firmware/bare/staging.h"

#include "firmware/bare/flash_hash.h"

namespace pawl::firmware {
namespace {

bool Same(const serial::Begin& a, const serial::Begin& b) {
  return a.manifest_digest == b.manifest_digest && a.image_bytes == b.image_bytes &&
         a.envelope_bytes == b.envelope_bytes;
}

bool Fits(std::uint64_t offset, std::uint64_t size, std::uint64_t limit) {
  return offset <= limit && size <= limit - offset;
}

}  // namespace

Status Staging::MayWrite() const {
  const RecordState& state = parts_.record.state();
  if (state.kind != RecordKind::kValid || !MayWriteSlot(state.record, Other(parts_.slot), parts_.slot)) {
    return Fail(Reason::kNotAllowed, "write slot: the slot is confirmed or pending");
  }
  return {};
}

Result<serial::Staged> Staging::Begin(const serial::Begin& begin) {
  PAWL_TRY(MayWrite());
  if (begun_ && !refused_ && Same(begin, *begun_)) return Where();
  const std::uint64_t room = SlotImageBytesMax(parts_.flash.bytes());
  if (begin.image_bytes == 0 || begin.image_bytes > room) return Fail(Reason::kImageTooLarge);
  if (begin.envelope_bytes == 0 || begin.envelope_bytes > kSlotEnvelopeBytesMax) {
    return Fail(Reason::kTooLarge, "the envelope does not fit into the slot's trailer");
  }
  begun_.reset();
  sealed_.reset();
  refused_.reset();
  PAWL_TRY(EraseEnvelope(parts_.flash));
  begun_ = begin;
  image_bytes_ = 0;
  envelope_bytes_ = 0;
  return Where();
}

Result<serial::Staged> Staging::Write(const serial::Write& write) {
  PAWL_TRY(MayWrite());
  if (!begun_) return Fail(Reason::kConflict, "Write: no Begin in this boot");
  if (!Fits(write.offset, write.data.size(), begun_->image_bytes)) {
    return Fail(Reason::kTooLarge, "Write: beyond the image's size");
  }
  if (Fits(write.offset, write.data.size(), image_bytes_) && Holds(write.offset, write.data)) return Where();
  if (sealed_ || refused_) return Fail(Reason::kConflict, "Write: the image is sealed or refused; Begin anew");
  if (write.offset != image_bytes_ && write.offset % parts_.flash.sector_bytes() != 0) {
    return Fail(Reason::kConflict, "Write: neither where the image goes on nor at the start of a sector");
  }
  PAWL_TRY(Store(write.offset, write.data));
  return Where();
}

bool Staging::Holds(std::uint64_t offset, ByteView data) {
  std::array<std::uint8_t, 256> found;
  for (std::size_t done = 0; done < data.size();) {
    const ByteView part = data.subspan(done, std::min(found.size(), data.size() - done));
    const MutableBytes there = MutableBytes(found).first(part.size());
    if (!parts_.flash.Read(static_cast<FlashOffset>(offset + done), there) || !Equal(there, part)) return false;
    done += part.size();
  }
  return true;
}

// Up to the end of a sector at a time; a sector is erased when its first byte comes.
Status Staging::Store(std::uint64_t offset, ByteView data) {
  const std::uint32_t sector_bytes = parts_.flash.sector_bytes();
  image_bytes_ = offset;
  while (!data.empty()) {
    const auto at = static_cast<FlashOffset>(image_bytes_);
    const auto in_sector = static_cast<std::size_t>(at % sector_bytes);
    if (in_sector == 0) PAWL_TRY(parts_.flash.Erase(at / sector_bytes));
    const ByteView part = data.first(std::min<std::size_t>(data.size(), sector_bytes - in_sector));
    PAWL_TRY(parts_.flash.Program(at, part));
    if (!Holds(image_bytes_, part)) return Fail(Reason::kSlotWrite, "flash does not hold what was written");
    image_bytes_ += part.size();
    data = data.subspan(part.size());
  }
  return {};
}

Result<serial::Staged> Staging::TakeEnvelope(const serial::Envelope& part) {
  if (!begun_) return Fail(Reason::kConflict, "Envelope: no Begin in this boot");
  if (!Fits(part.offset, part.data.size(), begun_->envelope_bytes)) {
    return Fail(Reason::kTooLarge, "Envelope: beyond its size");
  }
  if (sealed_ || refused_) return Where();  // complete; the buffer is used up
  const MutableBytes place = MutableBytes(parts_.buffer).subspan(part.offset, part.data.size());
  if (Fits(part.offset, part.data.size(), envelope_bytes_) && Equal(place, part.data)) return Where();
  if (part.offset != envelope_bytes_) return Fail(Reason::kConflict, "Envelope: not where it goes on");
  std::ranges::copy(part.data, place.begin());
  envelope_bytes_ += static_cast<std::uint32_t>(part.data.size());
  return Where();
}

Status Staging::Seal(const Manifest& running) {
  PAWL_TRY(MayWrite());
  if (!begun_) return Fail(Reason::kConflict, "Seal: no Begin in this boot");
  if (refused_) return std::unexpected(*refused_);
  if (sealed_) return {};
  if (envelope_bytes_ != begun_->envelope_bytes) return Fail(Reason::kConflict, "Seal: the envelope is not complete");
  const Status verdict = WriteAndVerify(running);
  if (!verdict) {
    refused_ = verdict.error();
    return verdict;
  }
  sealed_ = begun_->manifest_digest;
  return {};
}

// What is refused leaves no envelope in the slot.
Status Staging::WriteAndVerify(const Manifest& running) {
  const ByteView envelope = ByteView(parts_.buffer).first(envelope_bytes_);
  Digest image_digest{};
  PAWL_TRY(CheckEnvelope(envelope, running, image_digest));
  PAWL_TRY(WriteEnvelope(parts_.flash, envelope));
  // From here on only what flash holds counts.
  Result<ByteView> stored = ReadEnvelope(parts_.flash, parts_.buffer);
  Status verdict = stored ? CheckEnvelope(*stored, running, image_digest) : std::unexpected(stored.error());
  if (verdict) verdict = CheckImage(image_digest);
  if (!verdict) PAWL_TRY(EraseEnvelope(parts_.flash));
  return verdict;
}

Status Staging::CheckEnvelope(ByteView envelope, const Manifest& running, Digest& image_digest) const {
  PAWL_ASSIGN(const VerifiedManifest verified, Verify(envelope, parts_.rom.anchors));
  if (verified.digest() != begun_->manifest_digest) return Fail(Reason::kDigestMismatch, "not the manifest of Begin");
  const RomIdentity& identity = parts_.rom.identity;
  const Target target{
      .vendor = identity.vendor,
      .cls = identity.cls,
      .board_revision = identity.board_revision,
      .security_floor = std::max<std::uint64_t>(parts_.record.state().record.floor, identity.min_security_version),
      .slot_bytes = parts_.flash.bytes(),
      .slot = static_cast<std::uint64_t>(parts_.slot)};
  PAWL_ASSIGN(const BootableManifest bootable, CheckBootable(verified, target));
  // A child has no clock: whether the release has expired is the gateway's to say.
  constexpr std::uint64_t kNoTime = 0;
  const Running now{.sequence = running.sequence, .version = running.version, .image_digest = running.image_digest};
  PAWL_ASSIGN(const InstallableManifest installable, CheckInstallable(bootable, now, kNoTime));
  if (installable.get().image_bytes != begun_->image_bytes) {
    return Fail(Reason::kSizeMismatch, "Begin named another size than the manifest");
  }
  image_digest = installable.get().image_digest;
  return {};
}

Status Staging::CheckImage(const Digest& digest) {
  crypto::Sha256 hash;
  for (std::uint64_t done = 0; done < begun_->image_bytes;) {
    const std::uint64_t part = std::min(kHashPartBytes, begun_->image_bytes - done);
    PAWL_TRY(HashPart(parts_.flash, done, part, hash));
    parts_.port.Feed();
    done += part;
  }
  return hash.Finish() == digest ? Status{} : Fail(Reason::kImageDigest);
}

Result<serial::Hashed> Staging::Hash(const serial::HashStaged& wanted) {
  if (wanted.bytes == 0 || wanted.bytes > serial::kMaxHashBytes ||
      !Fits(wanted.offset, wanted.bytes, parts_.flash.bytes())) {
    return Fail(Reason::kInvalidArgument, "HashStaged: 1 to 65536 bytes, within the slot");
  }
  crypto::Sha256 hash;
  PAWL_TRY(HashPart(parts_.flash, wanted.offset, wanted.bytes, hash));
  return serial::Hashed{hash.Finish()};
}

}  // namespace pawl::firmware
