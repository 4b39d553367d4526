// Brings a verified image and its envelope from the spool into a child's staging slot, and has the child verify them.
//
// Resume  the child hashes what its slot holds, piece by piece from the start; the push goes on after the last piece
//         that is right, or at the start of that sector where the child was reset meanwhile.
#pragma once

#include <optional>
#include <vector>

#include "agent/io/serial/child_link.h"
#include "slots/file/file_flash.h"

namespace pawl::agent {

class SlotPush {
 public:
  struct Image {
    Digest manifest_digest{};
    std::uint64_t bytes = 0;
    std::vector<std::uint8_t> envelope;
  };
  // Lifetime: keeps link.
  explicit SlotPush(ChildLink& link) : link_(link) {}

  // Replaces a push that runs. Lifetime: keeps spool until it ends.
  void Start(FileFlash& spool, std::uint32_t sector_bytes, Image image);
  void Stop();
  bool running() const { return spool_ != nullptr; }
  // The child's verdict, once; nothing: it goes on. If the link fails, there is none.
  // Errors: those of the child, slot write failed, i/o error (the spool's).
  std::optional<Status> Take() { return std::exchange(verdict_, std::nullopt); }

 private:
  void Ask(const serial::Request& request, void (SlotPush::*next)(const ChildLink::Answer&));
  void Begun(const ChildLink::Answer& answer);
  void ScanNext();
  void Scanned(const ChildLink::Answer& answer);
  void BeginWrites();
  void WriteNext();
  void Written(const ChildLink::Answer& answer);
  void EnvelopeNext();
  void EnvelopeTaken(const ChildLink::Answer& answer);
  void Sealed(const ChildLink::Answer& answer);
  void End(const Status& verdict);
  std::uint64_t SectorOf(std::uint64_t offset) const { return offset / sector_bytes_ * sector_bytes_; }

  ChildLink& link_;
  FileFlash* spool_ = nullptr;
  std::uint32_t sector_bytes_ = 0;
  Image image_;
  std::uint64_t run_ = 0;    // answers to an earlier one are dropped
  std::uint64_t begun_ = 0;  // where the child would go on by itself
  std::uint64_t at_ = 0;     // so much is right, or written
  std::uint64_t piece_ = 0;  // bytes asked for, from there
  std::uint32_t envelope_at_ = 0;
  std::optional<Status> verdict_;
};

}  // namespace pawl::agent
