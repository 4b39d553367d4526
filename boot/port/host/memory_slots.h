// The slots of a virtual device for the boot core: an image is copied into a sealed memory file, and what is verified
// is that memory file, which is then executed. Linux.
#pragma once

#include <memory>

#include "base/hosted/files.h"
#include "boot/core/verify_slot.h"
#include "slots/file/file_flash.h"

namespace pawl {

class MemorySlots final : public BootSlots {
 public:
  // Errors: those of FileFlash::Open, naming the file.
  static Result<std::unique_ptr<MemorySlots>> Open(const std::array<std::string, 2>& paths, std::uint64_t slot_bytes);
  ~MemorySlots();

  Flash& flash(Slot slot) override { return *flashes_[static_cast<std::size_t>(slot)]; }
  Result<ByteView> Load(Slot slot, std::uint64_t image_bytes) override;

  // The memory file that Load made last, sealed: the very bytes that Load returned. -1 without one. Lifetime: this
  // object's.
  int image_fd(Slot slot) const { return images_[static_cast<std::size_t>(slot)].fd.get(); }

 private:
  struct Image {
    OwnedFd fd{};
    void* memory = nullptr;
    std::size_t bytes = 0;
  };
  MemorySlots() = default;
  static void Release(Image& image);
  static Result<Image> CopyAndSeal(Flash& from, std::uint64_t image_bytes);

  std::array<std::unique_ptr<FileFlash>, 2> flashes_;
  std::array<Image, 2> images_;
};

}  // namespace pawl
