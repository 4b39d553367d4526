#include "boot/port/host/memory_slots.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "boot/port/host/device_dir.h"

namespace pawl {
namespace {

// Linux 6.3 and later want to be told that the file may be executed; older ones do not know the flag.
constexpr unsigned kMfdExec = 0x0010U;
constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

OwnedFd MakeMemoryFile() {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  OwnedFd fd(::memfd_create("pawl-image", kFlags | kMfdExec));
  if (fd.get() < 0 && errno == EINVAL) fd = OwnedFd(::memfd_create("pawl-image", kFlags));
  return fd;
}

std::unexpected<Error> MemoryError(std::string_view what) {
  return FailWith(Reason::kIo, {"the image's memory file: ", what}, errno);
}

}  // namespace

Result<std::unique_ptr<MemorySlots>> MemorySlots::Open(const std::array<std::string, 2>& paths,
                                                       std::uint64_t slot_bytes) {
  std::unique_ptr<MemorySlots> slots(new MemorySlots);
  FileFlash::Options options = kSlotFileOptions;
  options.bytes = slot_bytes;
  options.read_only = true;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    PAWL_ASSIGN(slots->flashes_[i], FileFlash::Open(paths[i], options));
  }
  return slots;
}

MemorySlots::~MemorySlots() {
  for (Image& image : images_) Release(image);
}

void MemorySlots::Release(Image& image) {
  if (image.memory != nullptr) ::munmap(image.memory, image.bytes);
  image = Image{};
}

Result<ByteView> MemorySlots::Load(Slot slot, std::uint64_t image_bytes) {
  Image& image = images_[static_cast<std::size_t>(slot)];
  Release(image);
  PAWL_ASSIGN(image, CopyAndSeal(flash(slot), image_bytes));
  return ByteView(static_cast<const std::uint8_t*>(image.memory), image.bytes);
}

Result<MemorySlots::Image> MemorySlots::CopyAndSeal(Flash& from, std::uint64_t image_bytes) {
  Image image{.fd = MakeMemoryFile(), .memory = nullptr, .bytes = static_cast<std::size_t>(image_bytes)};
  const int fd = image.fd.get();
  if (fd < 0) return MemoryError("memfd_create");
  if (::ftruncate(fd, static_cast<off_t>(image_bytes)) != 0) return MemoryError("ftruncate");
  void* writable = ::mmap(nullptr, image.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (writable == MAP_FAILED) return MemoryError("mmap");
  const Status copied = from.Read(0, MutableBytes(static_cast<std::uint8_t*>(writable), image.bytes));
  ::munmap(writable, image.bytes);  // a writable mapping forbids the seal
  PAWL_TRY(copied);
  if (::fcntl(fd, F_ADD_SEALS, kSeals) != 0) return MemoryError("seals");
  void* sealed = ::mmap(nullptr, image.bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (sealed == MAP_FAILED) return MemoryError("mmap");
  image.memory = sealed;
  return image;
}

}  // namespace pawl
