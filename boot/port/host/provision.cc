#include "boot/port/host/provision.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "boot/port/host/memory_slots.h"
#include "trust/crypto/crypto.h"

namespace pawl {
namespace {

using Bytes = std::vector<std::uint8_t>;

Status MakeFolder(const std::string& path, mode_t mode) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return FailWith(Reason::kIo, {path, ": ", error.message()});
  // Whatever the umask says.
  if (::chmod(path.c_str(), mode) != 0) return FailWith(Reason::kIo, {path, ": chmod"}, errno);
  return {};
}

Status WriteFile(const std::string& path, ByteView bytes, mode_t mode) {
  ::unlink(path.c_str());  // of an attempt that was cut
  const OwnedFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd.get() < 0) return FailWith(Reason::kIo, {path, ": cannot be made"}, errno);
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return FailWith(Reason::kIo, {path, ": cannot be written"}, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  if (::fchmod(fd.get(), mode) != 0 || ::fsync(fd.get()) != 0) return FailWith(Reason::kIo, {path}, errno);
  return {};
}

Status WriteEmptySlot(const std::string& path, std::uint64_t bytes) {
  PAWL_TRY(WriteFile(path, {}, 0644));
  // A hole, which reads 00: no envelope, so no image.
  if (::truncate(path.c_str(), static_cast<off_t>(bytes)) != 0) return FailWith(Reason::kIo, {path}, errno);
  return {};
}

Status CheckNumbers(const Provision& p) {
  if (p.slot_bytes < kMinSlotBytes || p.slot_bytes > kMaxSlotBytes ||
      p.slot_bytes % kSlotFileOptions.sector_bytes != 0) {
    return FailWith(Reason::kInvalidArgument, {"slot bytes must be a multiple of 4096 between ",
                                               std::to_string(kMinSlotBytes), " and ", std::to_string(kMaxSlotBytes)});
  }
  if (p.watchdog_ms < kMinWatchdogMs || p.watchdog_ms > kMaxWatchdogMs) {
    return FailWith(Reason::kInvalidArgument, {"watchdog ms must be between ", std::to_string(kMinWatchdogMs), " and ",
                                               std::to_string(kMaxWatchdogMs)});
  }
  return {};
}

Status WriteSlotA(const DevicePaths& paths, ByteView image, ByteView envelope) {
  PAWL_ASSIGN(const auto flash, FileFlash::Open(paths.slot(Slot::kA), kSlotFileOptions));
  if (image.size() > SlotImageBytesMax(flash->bytes())) {
    return FailWith(Reason::kImageTooLarge, {"the image has ", std::to_string(image.size()), " bytes; the slot takes ",
                                             std::to_string(SlotImageBytesMax(flash->bytes()))});
  }
  PAWL_TRY(EraseEnvelope(*flash));
  PAWL_TRY(flash->Program(0, image));
  return WriteEnvelope(*flash, envelope);
}

}  // namespace

Status ProvisionDevice(const Provision& p) {
  PAWL_TRY(CheckNumbers(p));
  PAWL_ASSIGN(const Bytes anchors, ReadWholeFile(p.anchors_file, kMaxAnchorsBytes));
  PAWL_ASSIGN(const Bytes image, ReadWholeFile(p.image_file, p.slot_bytes));
  PAWL_ASSIGN(const Bytes envelope, ReadWholeFile(p.envelope_file, kMaxEnvelopeBytes));
  std::array<std::uint8_t, 256> identity_buffer{};
  PAWL_ASSIGN(const std::size_t identity_bytes, EncodeRomIdentity(p.identity, identity_buffer));
  const ByteView identity = ByteView(identity_buffer).first(identity_bytes);

  const DevicePaths paths(p.dir);
  if (std::filesystem::exists(paths.machine)) {
    return FailWith(Reason::kConflict, {p.dir, " holds a machine already; choose another folder or remove it"});
  }
  for (const std::string& folder : {paths.root, paths.rom, paths.flash}) PAWL_TRY(MakeFolder(folder, 0755));
  PAWL_TRY(MakeFolder(paths.data, 0700));
  PAWL_TRY(WriteFile(paths.anchors, anchors, 0444));
  PAWL_TRY(WriteFile(paths.identity, identity, 0444));
  PAWL_TRY(WriteFile(paths.record, Bytes(kRecordFileOptions.bytes, 0xFF), 0644));
  for (const std::string& slot : paths.slots) PAWL_TRY(WriteEmptySlot(slot, p.slot_bytes));
  PAWL_TRY(WriteSlotA(paths, image, envelope));

  const MachineConfig config{.watchdog_ms = p.watchdog_ms,
                             .slot_bytes = p.slot_bytes,
                             .anchors_sha256 = crypto::Hash(anchors),
                             .identity_sha256 = crypto::Hash(identity)};
  PAWL_ASSIGN(const Rom rom, LoadRom(paths, config));
  PAWL_ASSIGN(const auto slots, MemorySlots::Open(paths.slots, p.slot_bytes));
  const auto verified = VerifySlot(*slots, Slot::kA, rom, 0);
  if (!verified) {
    return FailWith(verified.error().reason,
                    {"the image would not boot on this device: ", Text(verified.error().reason),
                     verified.error().detail.empty() ? "" : ": ", verified.error().detail.view()});
  }
  return WriteFile(paths.machine, AsBytes(ToToml(config)), 0644);
}

}  // namespace pawl
