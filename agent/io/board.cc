#include "agent/io/board.h"

#include <fcntl.h>
#include <linux/watchdog.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <optional>

#include "base/hosted/files.h"

namespace pawl::agent {
namespace {

constexpr std::string_view kKey = "pawl.handoff=";

template <class T>
std::optional<T> FindText(std::string_view text, std::initializer_list<T> values) {
  for (const T value : values) {
    if (Text(value) == text) return value;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> Number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view TakeField(std::string_view& text) {
  const std::size_t comma = text.find(',');
  const std::string_view field = text.substr(0, comma);
  text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  return field;
}

}  // namespace

Result<HandOff> ParseHandOff(std::string_view command_line) {
  const std::size_t at = command_line.find(kKey);
  if (at == std::string_view::npos || (at > 0 && command_line[at - 1] != ' ')) {
    return Fail(Reason::kNotFound,
                "no hand-off: start with pawl.handoff=SLOT,MODE,CAUSE,TRIAL,SECURITY_VERSION,WATCHDOG_MS");
  }
  std::string_view rest = command_line.substr(at + kKey.size());
  rest = rest.substr(0, rest.find_first_of(" \n"));
  const auto slot = FindText(TakeField(rest), {Slot::kA, Slot::kB});
  const auto mode = FindText(TakeField(rest), {BootMode::kNormal, BootMode::kTrial, BootMode::kUnproven});
  const auto cause =
      FindText(TakeField(rest), {ResetCause::kPower, ResetCause::kWatchdog, ResetCause::kSoftware, ResetCause::kOther});
  const auto trial = Number(TakeField(rest));
  const auto security_version = Number(TakeField(rest));
  const auto watchdog_ms = Number(TakeField(rest));
  if (!slot || !mode || !cause || !trial || !security_version || !watchdog_ms || !rest.empty()) {
    return Fail(Reason::kMalformed,
                "hand-off: must be pawl.handoff=SLOT,MODE,CAUSE,TRIAL,SECURITY_VERSION,WATCHDOG_MS");
  }
  return HandOff{*slot, *mode, *cause, *trial, *security_version, *watchdog_ms};
}

Result<std::unique_ptr<LinuxBoard>> LinuxBoard::Open(const HandOff& hand_off, const std::string& watchdog_device,
                                                     std::vector<std::string> reboot_command) {
  OwnedFd watchdog(watchdog_device.empty() ? -1 : ::open(watchdog_device.c_str(), O_WRONLY | O_CLOEXEC));
  if (!watchdog_device.empty() && watchdog.get() < 0) return FileError("open", watchdog_device);
  return std::unique_ptr<LinuxBoard>(new LinuxBoard(hand_off, std::move(watchdog), std::move(reboot_command)));
}

Status LinuxBoard::Feed() {
  if (watchdog_.get() < 0) return {};
  return ::ioctl(watchdog_.get(), WDIOC_KEEPALIVE, 0) == 0 ? Status{} : FileError("feed", "watchdog");
}

Status LinuxBoard::Reset() {
  ::sync();
  std::vector<char*> argv;
  for (std::string& word : reboot_command_) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  errno = argv[0] == nullptr ? ENOENT : ::posix_spawn(&pid, argv[0], nullptr, nullptr, argv.data(), environ);
  return errno == 0 ? Status{} : FileError("start", argv[0] == nullptr ? "reboot_command" : reboot_command_[0]);
}

}  // namespace pawl::agent
