// What the bootloader hands to the firmware that it starts. Freestanding.
#pragma once

#include "slots/boot_record.h"

namespace pawl {

enum class BootMode : std::uint8_t { kNormal, kTrial, kUnproven };
enum class ResetCause : std::uint8_t { kPower, kWatchdog, kSoftware, kOther };

constexpr std::string_view Text(BootMode mode) {
  switch (mode) {
    case BootMode::kNormal:
      return "normal";
    case BootMode::kTrial:
      return "trial";
    case BootMode::kUnproven:
      return "unproven";
  }
  return "";
}
constexpr std::string_view Text(ResetCause cause) {
  switch (cause) {
    case ResetCause::kPower:
      return "power";
    case ResetCause::kWatchdog:
      return "watchdog";
    case ResetCause::kSoftware:
      return "software";
    case ResetCause::kOther:
      return "other";
  }
  return "";
}

struct HandOff {
  Slot slot = Slot::kA;  // the slot that runs
  BootMode mode = BootMode::kUnproven;
  ResetCause cause = ResetCause::kOther;
  std::uint32_t trial = 0;             // the record's trial number, if mode is trial
  std::uint32_t security_version = 0;  // of the running slot, as the bootloader saw it
  std::uint32_t watchdog_ms = 0;       // the window that is armed now
};

// Behind its magic the packet is a HandOff as it lies in memory, its one byte of padding zero.
// Format  "PMH1" | slot u8 | mode u8 | cause u8 | 0 | trial u32 | security version u32 | watchdog_ms u32, little
// endian: a packet of the machine line, or bytes in memory that no reset clears.
using HandOffPacket = std::array<std::uint8_t, 20>;
static_assert(std::endian::native == std::endian::little);
static_assert(std::is_standard_layout_v<HandOff> && 4 + sizeof(HandOff) == sizeof(HandOffPacket));
static_assert(offsetof(HandOff, slot) == 0 && offsetof(HandOff, mode) == 1 && offsetof(HandOff, cause) == 2 &&
              offsetof(HandOff, trial) == 4 && offsetof(HandOff, security_version) == 8 &&
              offsetof(HandOff, watchdog_ms) == 12);
HandOffPacket EncodeHandOff(const HandOff& hand_off);
// Errors: malformed, unsupported version.
Result<HandOff> DecodeHandOff(ByteView packet);

}  // namespace pawl
