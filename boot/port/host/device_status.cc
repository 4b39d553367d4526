#include "boot/port/host/device_status.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "boot/port/host/memory_slots.h"

namespace pawl {
namespace {

bool SomebodyRuns(const std::string& machine_file) {
  const OwnedFd fd(::open(machine_file.c_str(), O_RDONLY | O_CLOEXEC));
  return fd.get() >= 0 && ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

SlotStatus ReadSlot(MemorySlots& slots, Slot slot, const Result<Rom>& rom, std::uint32_t floor) {
  SlotStatus status;
  SlotTrailer buffer;
  const auto envelope = ReadEnvelope(slots.flash(slot), buffer);
  if (const auto view = envelope ? DecodeEnvelope(*envelope) : std::unexpected(envelope.error())) {
    status.manifest_digest = view->digest;
    if (const auto manifest = DecodeManifest(view->manifest)) status.manifest = *manifest;
  }
  if (!rom) {
    status.verdict = std::unexpected(rom.error());
  } else if (const auto verified = VerifySlot(slots, slot, *rom, floor); !verified) {
    status.verdict = std::unexpected(verified.error());
  }
  return status;
}

}  // namespace

Result<DeviceStatus> ReadDeviceStatus(const std::string& dir) {
  const DevicePaths paths(dir);
  DeviceStatus status;
  PAWL_ASSIGN(status.config, LoadMachineConfig(paths.machine));
  const Result<Rom> rom = LoadRom(paths, status.config);
  if (!rom) status.rom = std::unexpected(rom.error());
  FileFlash::Options options = kRecordFileOptions;
  options.read_only = true;
  PAWL_ASSIGN(const auto record, FileFlash::Open(paths.record, options));
  status.record = RecordStore(*record).Peek();
  PAWL_ASSIGN(const auto slots, MemorySlots::Open(paths.slots, status.config.slot_bytes));
  for (const Slot slot : {Slot::kA, Slot::kB}) {
    status.slots[static_cast<std::size_t>(slot)] = ReadSlot(*slots, slot, rom, status.record.record.floor);
  }
  status.running = SomebodyRuns(paths.machine);
  return status;
}

}  // namespace pawl
