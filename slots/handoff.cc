#include "slots/handoff.h"

namespace pawl {
namespace {

constexpr std::string_view kMagic = "PMH1";

}  // namespace

HandOffPacket EncodeHandOff(const HandOff& hand_off) {
  HandOffPacket packet;
  std::memcpy(packet.data(), kMagic.data(), kMagic.size());
  std::memcpy(packet.data() + kMagic.size(), &hand_off, sizeof(hand_off));
  packet[7] = 0;
  return packet;
}

Result<HandOff> DecodeHandOff(ByteView packet) {
  if (packet.size() < kMagic.size() || !Equal(packet.first(3), AsBytes(kMagic).first(3))) {
    return Fail(Reason::kMalformed, "this is no hand-off of a bootloader");
  }
  if (packet[3] != static_cast<std::uint8_t>(kMagic[3])) {
    return Fail(Reason::kUnsupportedVersion, "the bootloader's hand-off has another version than 1");
  }
  if (packet.size() != sizeof(HandOffPacket)) return Fail(Reason::kMalformed, "the hand-off has the wrong size");
  if (packet[4] > static_cast<std::uint8_t>(Slot::kB) || packet[5] > static_cast<std::uint8_t>(BootMode::kUnproven) ||
      packet[6] > static_cast<std::uint8_t>(ResetCause::kOther) || packet[7] != 0) {
    return Fail(Reason::kMalformed, "the hand-off has an unknown value");
  }
  return HandOff{.slot = static_cast<Slot>(packet[4]),
                 .mode = static_cast<BootMode>(packet[5]),
                 .cause = static_cast<ResetCause>(packet[6]),
                 .trial = LoadLe<std::uint32_t>(packet.subspan(8, 4)),
                 .security_version = LoadLe<std::uint32_t>(packet.subspan(12, 4)),
                 .watchdog_ms = LoadLe<std::uint32_t>(packet.subspan(16, 4))};
}

}  // namespace pawl
