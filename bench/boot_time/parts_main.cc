// An image that measures what a boot is made of, on the board's own clock, and says it as "part <name> <units> <ms>".
// Under QEMU's -icount a millisecond is a fixed number of instructions (bench/boot_time/boot_time.py).
#include "boot/port/bare/runtime.h"
#include "boot/port/board.h"
#include "slots/slot.h"
#include "trust/crypto/crypto.h"

namespace pawl {
namespace {

constexpr std::size_t kMiB = 1 << 20;
constexpr int kRepeats = 8;

void Say(std::string_view part, std::uint64_t units, std::uint64_t started_ms) {
  const std::uint64_t ms = board::Milliseconds() - started_ms;
  BoundedText<80> line("part ");
  line.append(part).append(" ").append_number(units).append(" ").append_number(ms).append("\n");
  board::Print(line);
}

void MeasureCopy(Slot slot, MutableBytes memory) {
  const std::uint64_t started = board::Milliseconds();
  for (int i = 0; i < kRepeats; ++i) PAWL_ASSERT(board::SlotFlash(slot).Read(0, memory).has_value());
  Say("copy", kRepeats, started);
}

void MeasureHash(ByteView memory) {
  const std::uint64_t started = board::Milliseconds();
  for (int i = 0; i < kRepeats; ++i) static_cast<void>(crypto::Hash(memory));
  Say("sha-256", kRepeats, started);
}

// A valid point and numbers in range; whether the signature holds changes nothing of the work.
void MeasureSignature() {
  PublicKey key{};
  key = {0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
         0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f,
         0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce,
         0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};
  Signature signature;
  signature.fill(0x5A);
  Digest digest;
  digest.fill(0xA5);
  const std::uint64_t started = board::Milliseconds();
  for (int i = 0; i < kRepeats; ++i) PAWL_ASSERT(!crypto::VerifyP256(key, digest, signature));
  Say("p-256", kRepeats, started);
}

}  // namespace
}  // namespace pawl

void PawlMain() {
  using namespace pawl;
  board::Start();
  const Slot other = Other(board::TakeHandOff().slot);
  const MutableBytes memory = board::ImageMemory(other).first(kMiB);
  MeasureCopy(other, memory);
  MeasureHash(memory);
  MeasureSignature();
  board::Print("part end\n");
  for (;;) board::FeedWatchdog();
}
