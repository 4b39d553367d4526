#include "boot/port/virt/nor.h"

#include <cstring>

#include "base/text.h"
#include "boot/port/virt/parts.h"

namespace pawl::board {
namespace {

// Each command goes to both chips at once.
constexpr std::uint32_t Both(std::uint32_t command) { return command << 16 | command; }
constexpr std::uint32_t kReadArray = Both(0xff);
constexpr std::uint32_t kClearStatus = Both(0x50);
constexpr std::uint32_t kErase = Both(0x20);
constexpr std::uint32_t kBufferedProgram = Both(0xe8);
constexpr std::uint32_t kConfirm = Both(0xd0);
constexpr std::uint32_t kReady = Both(0x80);
constexpr std::uint32_t kFailed = Both(0x3a);  // erase, program, voltage, locked

constexpr std::uint32_t kUnit = 4;            // a word of both chips
constexpr std::uint32_t kBufferBytes = 2048;  // of both chips' write buffers, and aligned to that
constexpr std::uint64_t kTimeoutMs = 5000;    // a real chip erases a sector in at most 4 s

// From here on the bank is memory again, and the compiler forgets what it has read of it.
void LeaveCommands(std::uint32_t address) {
  Register(address) = kReadArray;
  asm volatile("dsb" ::: "memory");
}

Status Broken(std::string_view what, std::uint32_t address) {
  std::array<std::uint8_t, 4> bytes{};
  std::array<char, 8> hex{};
  StoreBe(MutableBytes(bytes), address);
  Error error{Reason::kIo, "flash: "};
  error.detail.append(what).append(" at 0x").append(HexEncode(bytes, hex));
  return std::unexpected(error);
}

// Waits until the chips are done. Leaves them in status mode.
Status Await(std::uint32_t address, std::string_view what) {
  const std::uint64_t start = Milliseconds();
  std::uint32_t status = Register(address);
  while ((status & kReady) != kReady) {
    if (Milliseconds() - start > kTimeoutMs) return Broken(what, address);
    status = Register(address);
  }
  if ((status & kFailed) == 0) return {};
  Register(address) = kClearStatus;
  return Broken(what, address);
}

// The bytes of `from` that fall into the word at `address`, laid over what stands there.
std::uint32_t WordOver(std::uint32_t old, std::uint32_t address, std::uint32_t start, ByteView from) {
  std::array<std::uint8_t, kUnit> bytes{};
  StoreLe(MutableBytes(bytes), old);
  for (std::uint32_t i = 0; i < kUnit; ++i) {
    const std::uint32_t at = address + i;
    if (at >= start && at - start < from.size()) bytes[i] = from[at - start];
  }
  return LoadLe<std::uint32_t>(bytes);
}

// Programs the words from `first` up to `end`, all in one of the chips' write buffers.
Status ProgramBuffer(std::uint32_t first, std::uint32_t end, std::uint32_t start, ByteView from) {
  std::array<std::uint32_t, kBufferBytes / kUnit> words;
  const std::uint32_t count = (end - first) / kUnit;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t address = first + i * kUnit;
    words[i] = WordOver(Register(address), address, start, from);
  }
  Register(first) = kBufferedProgram;
  Status done = Await(first, "no write buffer");
  if (done) {
    Register(first) = Both(count - 1);
    for (std::uint32_t i = 0; i < count; ++i) Register(first + i * kUnit) = words[i];
    Register(first) = kConfirm;
    done = Await(first, "programming failed");
  }
  LeaveCommands(first);
  return done;
}

}  // namespace

std::uint32_t NorFlash::sector_bytes() const { return kNorSectorBytes; }

ByteView NorFlash::View(FlashOffset offset, std::size_t bytes) const {
  const auto* start = reinterpret_cast<const std::uint8_t*>(address_ + offset);
  return {start, bytes};
}

Status NorFlash::Read(FlashOffset offset, MutableBytes to) {
  if (!Inside(offset, to.size())) return Fail(Reason::kInvalidArgument, "flash: reading outside the region");
  std::memcpy(to.data(), View(offset, to.size()).data(), to.size());
  return {};
}

Status NorFlash::Program(FlashOffset offset, ByteView from) {
  if (!Inside(offset, from.size())) return Fail(Reason::kInvalidArgument, "flash: programming outside the region");
  const ByteView old = View(offset, from.size());
  const std::uint32_t start = address_ + offset;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if ((old[i] & from[i]) == from[i]) continue;
    Status refused = Broken("programming cannot set a bit, erase first:", start + static_cast<std::uint32_t>(i));
    refused.error().reason = Reason::kInvalidArgument;
    return refused;
  }
  const auto end = start + static_cast<std::uint32_t>(from.size());
  for (std::uint32_t at = start / kUnit * kUnit; at < end;) {
    const std::uint32_t buffer_end = (at / kBufferBytes + 1) * kBufferBytes;
    const std::uint32_t stop = std::min(buffer_end, (end + kUnit - 1) / kUnit * kUnit);
    PAWL_TRY(ProgramBuffer(at, stop, start, from));
    at = stop;
  }
  if (!Equal(View(offset, from.size()), from)) return Broken("what was programmed does not read back", start);
  return {};
}

Status NorFlash::Erase(FlashOffset sector) {
  if (sector >= bytes_ / kNorSectorBytes) return Fail(Reason::kInvalidArgument, "flash: erasing outside the region");
  const std::uint32_t address = address_ + sector * kNorSectorBytes;
  Register(address) = kErase;
  Register(address) = kConfirm;
  const Status done = Await(address, "erasing failed");
  LeaveCommands(address);
  return done;
}

}  // namespace pawl::board
