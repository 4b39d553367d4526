#include "boot/port/host/machine.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/text.h"
#include "boot/port/host/image_process.h"

namespace pawl {
namespace {

using Clock = std::chrono::steady_clock;

// An image that ends sooner counts as one of a storm of resets, and the machine waits a little before the next boot.
constexpr auto kQuickEnd = std::chrono::seconds(1);
constexpr auto kFirstWait = std::chrono::milliseconds(100);
constexpr auto kLongestWait = std::chrono::milliseconds(2000);
constexpr int kLowestLineFd = 10;

std::string Str(std::string_view text) { return std::string(text); }

std::string Hex(ByteView bytes) {
  std::string text(2 * bytes.size(), ' ');
  HexEncode(bytes, text);
  return text;
}

// How long poll may wait, in whole milliseconds, never too short.
int TimeoutMs(std::optional<Clock::time_point> until) {
  if (!until) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

std::string HowItEnded(int status) {
  if (WIFSIGNALED(status))
    return "signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) + ")";
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

Result<OwnedFd> TakeDevice(const DevicePaths& paths) {
  OwnedFd lock(::open(paths.machine.c_str(), O_RDONLY | O_CLOEXEC));
  if (lock.get() < 0 && errno == ENOENT) {
    return FailWith(Reason::kNotFound,
                    {paths.root, " holds no machine (no machine.toml); make one: pawl-machine init"});
  }
  if (!lock) return FileError("open", paths.machine);
  PAWL_TRY(LockFile(lock, paths.root, "another pawl-machine runs"));
  return lock;
}

Result<OwnedFd> TakeSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGCHLD}) sigaddset(&set, signal);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  OwnedFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (fd.get() < 0) return FailWith(Reason::kIo, {"signalfd"}, errno);
  return fd;
}

}  // namespace

// What runs between a boot and the next reset.
struct Machine::Running {
  pid_t image;
  MachineEnd line;
  bool line_open = true;
  OwnedFd serial;
  LineSplitter lines;
  std::chrono::milliseconds window;
  Clock::time_point deadline;  // of the watchdog
  std::string how;             // it ended, if by itself
};

Result<std::unique_ptr<Machine>> Machine::Open(const Options& options, MachineSink sink) {
  PAWL_ASSIGN(OwnedFd signals, TakeSignals());  // first: from here on none ends this process
  std::error_code error;
  const std::string root = std::filesystem::canonical(options.dir, error).string();
  if (error) return FailWith(Reason::kNotFound, {options.dir, ": ", error.message()});
  DevicePaths paths(root);
  PAWL_ASSIGN(OwnedFd lock, TakeDevice(paths));
  PAWL_ASSIGN(const MachineConfig config, LoadMachineConfig(paths.machine));
  PAWL_ASSIGN(SerialLog serial, SerialLog::Open(paths.serial_log));
  return std::unique_ptr<Machine>(new Machine(options, config, std::move(paths), std::move(lock), std::move(signals),
                                              std::move(serial), std::move(sink)));
}

Machine::Machine(const Options& options, const MachineConfig& config, DevicePaths paths, OwnedFd lock, OwnedFd signals,
                 SerialLog serial, MachineSink sink)
    : options_(options),
      config_(config),
      paths_(std::move(paths)),
      lock_(std::move(lock)),
      signals_(std::move(signals)),
      serial_(std::move(serial)),
      sink_(std::move(sink)) {}

void Machine::Tell(const MachineEvent& event) {
  serial_.Write(event.text);
  sink_(event);
}

Result<MachineExit> Machine::Run() {
  PAWL_TRY(AdoptOrphans());
  PAWL_TRY(EndLeftovers(paths_.root));
  for (;;) {
    Tell({"power", "machine: starts, reset cause " + Str(Text(cause_)), {{"cause", Str(Text(cause_))}}});
    const Result<Rom> rom = LoadRom(paths_, config_);
    if (!rom) {
      Tell({"refused", "machine: does not start: " + Str(rom.error().detail.view()), {}});
      return MachineExit::kRefused;
    }
    PAWL_ASSIGN(End end, Boot(*rom));
    if (options_.once && end != End::kStop) {
      return end == End::kRecovery ? MachineExit::kRecovery : MachineExit::kPoweredOff;
    }
    // In recovery nothing is tried again: only the power switch goes on from there.
    std::optional<End> then = end == End::kRecovery ? WaitForSignal(std::nullopt) : std::optional<End>();
    if (end == End::kWatchdog || end == End::kSoftware || end == End::kByItself) then = BackOff(ran_);
    end = then.value_or(end);
    if (end == End::kPowerGone) end = WaitForPower().value_or(End::kPowerCut);
    switch (end) {
      case End::kStop:
        Tell({"power", "machine: power off", {{"cause", "off"}}});
        return MachineExit::kPoweredOff;
      case End::kWatchdog:
        cause_ = ResetCause::kWatchdog;
        break;
      case End::kSoftware:
        cause_ = ResetCause::kSoftware;
        break;
      case End::kByItself:
        cause_ = ResetCause::kOther;
        break;
      case End::kPowerCut:
      case End::kPowerGone:
      case End::kRecovery:
        cause_ = ResetCause::kPower;
        break;
    }
  }
}

// From reset to the next reset.
Result<Machine::End> Machine::Boot(const Rom& rom) {
  PAWL_ASSIGN(const auto record_flash, FileFlash::Open(paths_.record, kRecordFileOptions));
  PAWL_ASSIGN(const auto slots, MemorySlots::Open(paths_.slots, config_.slot_bytes));
  RecordStore record(*record_flash);
  const Booted booted = pawl::Boot(record, *slots, rom, cause_, config_.watchdog_ms);
  TellSlots(booted);
  TellChanges(booted);
  if (!booted.image) {
    Tell({"recovery",
          "boot: " + Str(Text(booted.settled.decision.row())) +
              " recovery: no slot holds an image that verifies; nothing runs. Write a genuine image with its envelope "
              "into flash/slot_a.bin or flash/slot_b.bin, then switch the machine off and on",
          {{"row", Str(Text(booted.settled.decision.row()))}}});
    return End::kRecovery;
  }
  TellBoot(booted);
  return RunImage(slots->image_fd(booted.image->slot()), booted.hand_off);
}

void Machine::TellSlots(const Booted& booted) {
  for (const Slot slot : {Slot::kA, Slot::kB}) {
    const SlotFacts& facts = booted.facts.of(slot);
    MachineEvent event{"slot", "boot: slot " + Str(Text(slot)), {{"slot", Str(Text(slot))}}};
    if (facts.verified) {
      event.text += " verifies: manifest " + Hex(facts.manifest_digest).substr(0, 12) + ", sequence " +
                    std::to_string(facts.sequence) + ", security version " + std::to_string(facts.security_version);
      event.fields.emplace_back("verified", "yes");
      event.fields.emplace_back("manifest", Hex(facts.manifest_digest));
    } else {
      const Error& why = booted.verdicts[static_cast<std::size_t>(slot)].error();
      event.text += " does not verify: " + Str(Text(why.reason));
      if (!why.detail.empty()) event.text += ": " + Str(why.detail.view());
      event.fields.emplace_back("verified", "no");
      event.fields.emplace_back("why", Str(Text(why.reason)));
    }
    Tell(event);
  }
}

// What the decision changed in the record, besides the boot itself.
void Machine::TellChanges(const Booted& booted) {
  const BootRecord& before = booted.found.record;
  const BootRecord& after = booted.settled.decision.next;
  if (!booted.settled.committed) {
    Tell({"warning",
          "boot: the boot record cannot be written: " + Str(booted.settled.committed.error().detail.view()),
          {}});
  }
  if (after.owed && !before.owed) {
    MachineEvent event{"rollback",
                       "boot: rollback of trial " + std::to_string(after.trial) + ": " + Str(Text(after.reason)),
                       {{"trial", std::to_string(after.trial)}, {"reason", Str(Text(after.reason))}}};
    if (!after.detail.empty()) {
      event.text += " (" + Str(after.detail.view()) + ")";
      event.fields.emplace_back("detail", Str(after.detail.view()));
    }
    Tell(event);
  }
  if (after.emergency_count != before.emergency_count) {
    const std::string reason = Str(Text(after.emergency_reason));
    Tell({"emergency", "boot: emergency: " + reason, {{"reason", reason}}});
  }
}

void Machine::TellBoot(const Booted& booted) {
  const BootDecision& decision = booted.settled.decision;
  const Manifest& manifest = booted.image->manifest().get();
  const std::string slot = Str(Text(*decision.slot));
  const std::string version = Str(ToText(manifest.version).view());
  std::string rows;
  for (const BootRow row : decision.rows) rows += (rows.empty() ? "" : " ") + Str(Text(row));
  MachineEvent event{"boot",
                     "boot: " + Str(Text(decision.row())) + " ",
                     {{"row", Str(Text(decision.row()))},
                      {"rows", rows},
                      {"slot", slot},
                      {"mode", Str(Text(decision.mode))},
                      {"version", version},
                      {"image", Hex(manifest.image_digest)}}};
  if (decision.mode == BootMode::kTrial) {
    const bool power = decision.row() == BootRow::kB5;
    const int most = power ? kMaxPower : kMaxAttempts;
    const int left = power ? decision.next.power_attempts_left : decision.next.attempts_left;
    event.text += "trial of slot " + slot + ", version " + version + (power ? ", power attempt " : ", attempt ") +
                  std::to_string(most - left) + " of " + std::to_string(most);
    event.fields.emplace_back(power ? "power_attempt" : "attempt", std::to_string(most - left));
  } else {
    event.text += "slot " + slot + ", version " + version + ", mode " + Str(Text(decision.mode));
  }
  Tell(event);
}

Result<Machine::End> Machine::RunImage(int image_fd, const HandOff& hand_off) {
  PAWL_ASSIGN(MachineEnd::Pair pair, MachineEnd::Make());
  PAWL_TRY(pair.machine.Send(hand_off));
  int pipe[2] = {-1, -1};
  if (::pipe2(pipe, O_CLOEXEC) != 0) return FailWith(Reason::kIo, {"pipe"}, errno);
  OwnedFd serial(pipe[0]);
  OwnedFd image_serial(pipe[1]);
  // Out of the way of the descriptors that the image finds open.
  OwnedFd image_line(::fcntl(pair.image.get(), F_DUPFD_CLOEXEC, kLowestLineFd));
  if (::fcntl(serial.get(), F_SETFL, O_NONBLOCK) != 0 || image_line.get() < 0) {
    return FailWith(Reason::kIo, {"fcntl"}, errno);
  }
  const std::chrono::milliseconds window(hand_off.watchdog_ms);
  const auto started = Clock::now();  // the watchdog is armed before the jump
  PAWL_ASSIGN(const pid_t image, StartImage({.image_fd = image_fd,
                                             .line_fd = image_line.get(),
                                             .serial_fd = image_serial.get(),
                                             .device_dir = paths_.root}));
  image_serial = OwnedFd();
  image_line = OwnedFd();
  pair.image = OwnedFd();
  Running running{.image = image,
                  .line = std::move(pair.machine),
                  .serial = std::move(serial),
                  .lines = {},
                  .window = window,
                  .deadline = started + window,
                  .how = {}};
  const End end = Supervise(running);
  PAWL_TRY(EndDescendants(image));
  ReadSerial(running);
  running.lines.Finish([this](std::string_view line) { Tell({"serial", Str(line), {}}); });
  ran_ = Clock::now() - started;
  std::string text;
  switch (end) {
    case End::kWatchdog:
      text = "watchdog: not fed for " + std::to_string(window.count()) + " ms";
      break;
    case End::kSoftware:
      text = "software reset";
      break;
    case End::kByItself:
      text = "the image ended by itself: " + running.how;
      break;
    case End::kPowerCut:
    case End::kPowerGone:
      text = "the power fails";
      break;
    case End::kStop:
    case End::kRecovery:
      text = "the power is switched off";
      break;
  }
  constexpr std::string_view kNames[] = {"watchdog", "software", "other", "power", "power", "off", "off"};
  Tell({"ended", "machine: " + text, {{"cause", Str(kNames[static_cast<std::size_t>(end)])}}});
  return end;
}

Machine::End Machine::Supervise(Running& running) {
  for (;;) {
    // Requests come before the watchdog: what was sent in time counts, however late this process wakes up.
    ReadSerial(running);
    if (const auto end = ReadRequests(running)) return *end;
    if (const auto end = ReadSignals()) return *end;
    if (const auto end = ReapChildren(running)) return *end;
    if (Clock::now() >= running.deadline) return End::kWatchdog;
    std::array<pollfd, 3> fds{{{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                               {.fd = running.line_open ? running.line.fd() : -1, .events = POLLIN, .revents = 0},
                               {.fd = running.serial.get(), .events = POLLIN, .revents = 0}}};
    ::poll(fds.data(), fds.size(), TimeoutMs(running.deadline));
  }
}

// At most one chunk, so that an image that floods its serial line cannot keep the machine from its watchdog.
void Machine::ReadSerial(Running& running) {
  std::array<char, 65536> chunk;
  const ssize_t n = ::read(running.serial.get(), chunk.data(), chunk.size());
  if (n == 0) running.serial = OwnedFd();  // every writer is gone
  if (n <= 0) return;
  running.lines.Add(std::string_view(chunk.data(), static_cast<std::size_t>(n)),
                    [this](std::string_view line) { Tell({"serial", Str(line), {}}); });
}

std::optional<Machine::End> Machine::ReadRequests(Running& running) {
  while (running.line_open) {
    const auto request = running.line.Receive();
    if (!request) {
      // A packet that makes no sense is no feed. A closed line means that nobody can feed any more: the watchdog's
      // case.
      running.line_open = request.error().reason != Reason::kIo;
      if (running.line_open) Tell({"warning", "machine: " + Str(request.error().detail.view()), {}});
      continue;
    }
    if (!request->has_value()) break;
    if (**request == MachineRequest::kReset) return End::kSoftware;
    running.deadline = Clock::now() + running.window;
  }
  return std::nullopt;
}

std::optional<Machine::End> Machine::ReadSignals() {
  std::optional<End> end;
  signalfd_siginfo info{};
  while (!end && ::read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) end = End::kStop;
    if (info.ssi_signo == SIGUSR1) end = End::kPowerCut;
    if (info.ssi_signo == SIGUSR2) end = End::kPowerGone;
  }
  return end;
}

// The image, or an orphan of it.
std::optional<Machine::End> Machine::ReapChildren(Running& running) {
  int status = 0;
  for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0; pid = ::waitpid(-1, &status, WNOHANG)) {
    if (pid != running.image) continue;
    running.how = HowItEnded(status);
    // It may have asked for a reset as the last thing it did.
    return ReadRequests(running).value_or(End::kByItself);
  }
  return std::nullopt;
}

std::optional<Machine::End> Machine::WaitForSignal(std::optional<Clock::time_point> until) {
  for (;;) {
    if (const auto end = ReadSignals()) return end;
    if (until && Clock::now() >= *until) return std::nullopt;
    pollfd fd{.fd = signals_.get(), .events = POLLIN, .revents = 0};
    ::poll(&fd, 1, TimeoutMs(until));
  }
}

// SIGUSR2 brings the power back: nothing. SIGTERM switches off for good.
std::optional<Machine::End> Machine::WaitForPower() {
  Tell({"power", "machine: the power is gone", {{"cause", "gone"}}});
  for (;;) {
    const auto end = WaitForSignal(std::nullopt);
    if (end == End::kStop) return end;
    if (end == End::kPowerGone) return std::nullopt;
  }
}

std::optional<Machine::End> Machine::BackOff(Clock::duration ran) {
  quick_ends_ = ran < kQuickEnd ? std::min(quick_ends_ + 1, 16U) : 0;
  if (quick_ends_ == 0) return std::nullopt;
  const auto wait = std::min<std::chrono::milliseconds>(kFirstWait * (1U << (quick_ends_ - 1)), kLongestWait);
  Tell({"wait", "machine: waits " + std::to_string(wait.count()) + " ms before the next boot", {}});
  return WaitForSignal(Clock::now() + wait);
}

}  // namespace pawl
