#include "boot/port/host/provision.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/hosted/files.h"
#include "boot/port/host/memory_slots.h"
#include "trust/crypto/crypto.h"

namespace pawl {
namespace {

Status MakeFolder(const std::string& path, mode_t mode) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return FailWith(Reason::kIo, {path, ": ", error.message()});
  // Whatever the umask says.
  if (::chmod(path.c_str(), mode) != 0) return FailWith(Reason::kIo, {path, ": chmod"}, errno);
  return {};
}

Status WriteEmptySlot(const std::string& path, std::uint64_t bytes) {
  PAWL_TRY(WriteFileDurably(path, ByteView{}, 0644));
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
  PAWL_ASSIGN(const std::string anchors, ReadFile(p.anchors_file, kMaxAnchorsBytes));
  PAWL_ASSIGN(const std::string image, ReadFile(p.image_file, p.slot_bytes));
  PAWL_ASSIGN(const std::string envelope, ReadFile(p.envelope_file, kMaxEnvelopeBytes));
  std::array<std::uint8_t, 256> identity_buffer{};
  PAWL_ASSIGN(const std::size_t identity_bytes, EncodeRomIdentity(p.identity, identity_buffer));
  const ByteView identity = ByteView(identity_buffer).first(identity_bytes);

  const DevicePaths paths(p.dir);
  if (std::filesystem::exists(paths.machine)) {
    return FailWith(Reason::kConflict, {p.dir, " holds a machine already; choose another folder or remove it"});
  }
  for (const std::string& folder : {paths.root, paths.rom, paths.flash}) PAWL_TRY(MakeFolder(folder, 0755));
  PAWL_TRY(MakeFolder(paths.data, 0700));
  PAWL_TRY(WriteFileDurably(paths.anchors, anchors, 0444));
  PAWL_TRY(WriteFileDurably(paths.identity, identity, 0444));
  PAWL_TRY(WriteFileDurably(paths.record, std::string(kRecordFileOptions.bytes, '\xFF'), 0644));
  for (const std::string& slot : paths.slots) PAWL_TRY(WriteEmptySlot(slot, p.slot_bytes));
  PAWL_TRY(WriteSlotA(paths, AsBytes(image), AsBytes(envelope)));

  const MachineConfig config{.watchdog_ms = p.watchdog_ms,
                             .slot_bytes = p.slot_bytes,
                             .anchors_sha256 = crypto::Hash(AsBytes(anchors)),
                             .identity_sha256 = crypto::Hash(identity)};
  PAWL_ASSIGN(const Rom rom, LoadRom(paths, config));
  PAWL_ASSIGN(const auto slots, MemorySlots::Open(paths.slots, p.slot_bytes));
  const auto verified = VerifySlot(*slots, Slot::kA, rom, 0);
  if (!verified) {
    return FailWith(verified.error().reason,
                    {"the image would not boot on this device: ", Text(verified.error().reason),
                     verified.error().detail.empty() ? "" : ": ", verified.error().detail.view()});
  }
  return WriteFileDurably(paths.machine, ToToml(config), 0644);
}

}  // namespace pawl
