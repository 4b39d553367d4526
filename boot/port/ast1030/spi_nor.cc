#include "boot/port/ast1030/spi_nor.h"

#include "boot/port/ast1030/memory.h"
#include "boot/port/ast1030/registers.h"

namespace pawl::board {
namespace {

// The controller. In user mode each access to the window moves bytes over the wire as they are.
constexpr std::uintptr_t kController = 0x7E62'0000;
constexpr std::uintptr_t kConfiguration = kController + 0x00;
constexpr std::uint32_t kWritable = 1U << 16;  // chip 0 may be written
constexpr std::uintptr_t kControl = kController + 0x10;
constexpr std::uint32_t kUserMode = 3;
constexpr std::uint32_t kDeselected = 1U << 2;
constexpr std::uintptr_t kWindow = 0x8000'0000;

// Commands of the chip (SST25VF032B). Byte program, not page program: this chip has no other that takes any address.
constexpr std::uint8_t kWriteStatus = 0x01;
constexpr std::uint8_t kByteProgram = 0x02;
constexpr std::uint8_t kReadData = 0x03;
constexpr std::uint8_t kReadStatus = 0x05;
constexpr std::uint8_t kWriteEnable = 0x06;
constexpr std::uint8_t kSectorErase = 0x20;
constexpr std::uint8_t kReadId = 0x9F;
constexpr std::uint8_t kBusy = 1;
constexpr std::uint8_t kWriteEnabled = 2;

// A sector erase takes 25 ms at most, a status read at least a microsecond.
constexpr int kMaxPolls = 1'000'000;

// One command on the wire, from chip select to its end.
class Command {
 public:
  explicit Command(std::uint8_t code) {
    Register(kControl) = kUserMode;
    Put(code);
  }
  Command(std::uint8_t code, std::uint32_t address) : Command(code) {
    for (int shift = 16; shift >= 0; shift -= 8) Put(static_cast<std::uint8_t>(address >> shift));
  }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  ~Command() { Register(kControl) = kUserMode | kDeselected; }

  void Put(std::uint8_t byte) { ByteRegister(kWindow) = byte; }
  std::uint8_t Get() { return ByteRegister(kWindow); }
};

std::uint8_t ChipStatus() { return Command(kReadStatus).Get(); }

Status WaitUntilReady() {
  for (int i = 0; i < kMaxPolls; ++i) {
    if ((ChipStatus() & kBusy) == 0) return {};
  }
  return Fail(Reason::kIo, "the flash chip stays busy");
}

Status EnableWrite() {
  Command{kWriteEnable};
  if ((ChipStatus() & kWriteEnabled) != 0) return {};
  return Fail(Reason::kIo, "the flash chip does not let itself be written");
}

Status ProgramByte(std::uint32_t address, std::uint8_t byte) {
  PAWL_TRY(EnableWrite());
  Command(kByteProgram, address).Put(byte);
  return WaitUntilReady();
}

}  // namespace

Status StartSpiNor() {
  Register(kConfiguration) = Register(kConfiguration) | kWritable;
  const std::uint8_t maker = Command(kReadId).Get();
  if (maker == 0 || maker == 0xFF) return Fail(Reason::kIo, "no flash chip answers");
  PAWL_TRY(EnableWrite());
  Command(kWriteStatus).Put(0);
  return WaitUntilReady();
}

std::uint32_t SpiNorRegion::sector_bytes() const { return memory::kSectorBytes; }

Status SpiNorRegion::Read(FlashOffset offset, MutableBytes to) {
  if (!Holds(offset, to.size())) return Fail(Reason::kInvalidArgument, "flash: a read outside the region");
  Command read(kReadData, at_ + offset);
  for (std::uint8_t& byte : to) byte = read.Get();
  return {};
}

Status SpiNorRegion::Program(FlashOffset offset, ByteView from) {
  if (!Holds(offset, from.size())) return Fail(Reason::kInvalidArgument, "flash: a program outside the region");
  const std::uint32_t address = at_ + offset;
  {
    Command read(kReadData, address);
    for (const std::uint8_t byte : from) {
      if ((read.Get() & byte) != byte) return Fail(Reason::kInvalidArgument, "flash: a program over clear bits");
    }
  }
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i] != 0xFF) PAWL_TRY(ProgramByte(address + i, from[i]));
  }
  return {};
}

Status SpiNorRegion::Erase(FlashOffset sector) {
  if (sector >= bytes_ / memory::kSectorBytes) return Fail(Reason::kInvalidArgument, "flash: no such sector");
  PAWL_TRY(EnableWrite());
  {
    Command(kSectorErase, at_ + sector * memory::kSectorBytes);
  }
  return WaitUntilReady();
}

}  // namespace pawl::board
