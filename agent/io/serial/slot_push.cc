#include "agent/io/serial/slot_push.h"

#include <algorithm>

#include "agent/io/log.h"
#include "trust/crypto/crypto.h"

namespace pawl::agent {
namespace {

Result<std::vector<std::uint8_t>> ReadPart(FileFlash& spool, std::uint64_t offset, std::uint64_t bytes) {
  std::vector<std::uint8_t> part(static_cast<std::size_t>(bytes));
  PAWL_TRY(spool.Read(offset, part));
  return part;
}

}  // namespace

void SlotPush::Start(FileFlash& spool, std::uint32_t sector_bytes, Image image) {
  Stop();
  spool_ = &spool;
  sector_bytes_ = sector_bytes;
  image_ = std::move(image);
  at_ = 0;
  Ask(serial::Begin{image_.manifest_digest, image_.bytes, static_cast<std::uint32_t>(image_.envelope.size())},
      &SlotPush::Begun);
}

void SlotPush::Stop() {
  ++run_;
  spool_ = nullptr;
  verdict_.reset();
}

void SlotPush::End(const Status& verdict) {
  Stop();
  verdict_ = verdict;
}

void SlotPush::Ask(const serial::Request& request, void (SlotPush::*next)(const ChildLink::Answer&)) {
  link_.Ask(request, [this, next, run = run_](const ChildLink::Answer& answer) {
    if (run != run_) return;
    if (!answer) {
      End(std::unexpected(answer.error()));
    } else {
      (this->*next)(answer);
    }
  });
}

void SlotPush::Begun(const ChildLink::Answer& answer) {
  const auto staged = As<serial::Staged>(answer);
  if (!staged) return End(std::unexpected(staged.error()));
  begun_ = std::min(staged->image_bytes, image_.bytes);
  envelope_at_ = std::min(staged->envelope_bytes, static_cast<std::uint32_t>(image_.envelope.size()));
  ScanNext();
}

// --- what is there already ---

void SlotPush::ScanNext() {
  if (at_ == image_.bytes) return BeginWrites();
  const std::uint64_t sector_end = SectorOf(at_) + sector_bytes_;
  const std::uint64_t stop = std::min({at_ < begun_ ? begun_ : image_.bytes, sector_end, image_.bytes});
  piece_ = std::min(stop - at_, serial::kMaxHashBytes);
  Ask(serial::HashStaged{at_, piece_}, &SlotPush::Scanned);
}

void SlotPush::Scanned(const ChildLink::Answer& answer) {
  const auto hashed = As<serial::Hashed>(answer);
  if (!hashed) return End(std::unexpected(hashed.error()));
  const auto part = ReadPart(*spool_, at_, piece_);
  if (!part) return End(std::unexpected(part.error()));
  if (crypto::Hash(*part) != hashed->digest) return BeginWrites();
  at_ += piece_;
  ScanNext();
}

// The child takes the next byte at its own place, or at the start of a sector. After a reset of the child the last
// sector that matches is written again: if its writing was cut, it may read well only today (docs/spec/boot.md,
// "Slot").
void SlotPush::BeginWrites() {
  if (begun_ == 0) {
    at_ = SectorOf(at_ > 0 ? at_ - 1 : 0);
  } else if (at_ != image_.bytes) {
    at_ = std::max(SectorOf(at_), begun_ <= at_ ? begun_ : 0);
  }
  Log("push: bytes=" + std::to_string(image_.bytes) + " from=" + std::to_string(at_));
  WriteNext();
}

// --- bytes ---

void SlotPush::WriteNext() {
  if (at_ == image_.bytes) return EnvelopeNext();
  const std::uint64_t sector_end = SectorOf(at_) + sector_bytes_;
  piece_ = std::min<std::uint64_t>({image_.bytes - at_, sector_end - at_, serial::kMaxDataBytes});
  const auto part = ReadPart(*spool_, at_, piece_);
  if (!part) return End(std::unexpected(part.error()));
  Ask(serial::Write{at_, *part}, &SlotPush::Written);
}

void SlotPush::Written(const ChildLink::Answer& answer) {
  const auto staged = As<serial::Staged>(answer);
  if (!staged) return End(std::unexpected(staged.error()));
  if (staged->image_bytes < at_ + piece_) {  // more: what stood there already was right
    return End(Fail(Reason::kSlotWrite, "the child holds " + std::to_string(staged->image_bytes) + " bytes, not " +
                                            std::to_string(at_ + piece_)));
  }
  at_ += piece_;
  WriteNext();
}

void SlotPush::EnvelopeNext() {
  const ByteView left = ByteView(image_.envelope).subspan(envelope_at_);
  if (left.empty()) return Ask(serial::Seal{}, &SlotPush::Sealed);
  Ask(serial::Envelope{envelope_at_, left.first(std::min(left.size(), serial::kMaxDataBytes))},
      &SlotPush::EnvelopeTaken);
}

void SlotPush::EnvelopeTaken(const ChildLink::Answer& answer) {
  const auto staged = As<serial::Staged>(answer);
  if (!staged) return End(std::unexpected(staged.error()));
  if (staged->envelope_bytes <= envelope_at_ || staged->envelope_bytes > image_.envelope.size()) {
    return End(Fail(Reason::kSlotWrite, "the child does not take the envelope"));
  }
  envelope_at_ = staged->envelope_bytes;
  EnvelopeNext();
}

void SlotPush::Sealed(const ChildLink::Answer& answer) {
  const auto done = As<serial::Done>(answer);
  if (!done) return End(std::unexpected(done.error()));
  Log("push: the child has verified the image");
  End({});
}

}  // namespace pawl::agent
