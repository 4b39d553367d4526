// pawl-agent: the device's agent on Linux.
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "agent/io/agent.h"
#include "agent/io/enrol.h"
#include "agent/io/local_hardware.h"
#include "agent/io/log.h"
#include "agent/io/serial/gateway.h"
#include "agent/io/status.h"
#include "base/version.h"

namespace pawl::agent {
namespace {

constexpr const char* kUsage = R"(pawl-agent: keeps this device's firmware up to date.

  pawl-agent run    [--dir DIR]                 the agent; started by the system
  pawl-agent status [--dir DIR] [--json]        slots, boot record, job
  pawl-agent enrol  [--dir DIR] --claim FILE --url https://HOST:PORT [--ca FILE] [--id ID]
                                                gets this device its certificate
  pawl-agent --help | --version

DIR is the device's folder (default /var/lib/pawl): rom/, flash/, data/. Configuration: DIR/data/agent.toml, then
PAWL_AGENT_* in the environment. With `serial` set there, this is a gateway's agent for a child behind a serial line:
one folder and one `pawl-agent run` for each child; status then shows what the gateway holds for the child, and asks
the child itself if no agent has the line. --claim names the file that `pawl device claim` wrote; the id is its name without
".claim" unless --id says otherwise. --ca is the platform's ca.pem; it is taken only if the ROM's anchors list its key.

Exit status: 0 done; 1 failed; 2 wrong usage; 3 the platform refused; 4 the platform does not answer.
)";

struct Options {
  std::string command;
  std::string folder = "/var/lib/pawl";
  EnrolOptions enrol;
  bool json = false;
};

[[noreturn]] void WrongUsage(const std::string& what) {
  std::fprintf(stderr, "pawl-agent: %s\nTry: pawl-agent --help\n", what.c_str());
  std::exit(2);
}

Options ParseOptions(const std::vector<std::string>& words) {
  Options options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const auto value = [&]() -> const std::string& {
      if (i + 1 == words.size()) WrongUsage(word + " needs a value");
      return words[++i];
    };
    if (word == "--dir") {
      options.folder = value();
    } else if (word == "--claim") {
      options.enrol.claim_file = value();
    } else if (word == "--url") {
      options.enrol.url = value();
    } else if (word == "--ca") {
      options.enrol.ca_file = value();
    } else if (word == "--id") {
      options.enrol.id = value();
    } else if (word == "--json") {
      options.json = true;
    } else if (!word.starts_with('-') && options.command.empty()) {
      options.command = word;
    } else {
      WrongUsage("unknown argument " + word);
    }
  }
  return options;
}

int ExitStatus(Reason reason) {
  switch (reason) {
    case Reason::kForbidden:
    case Reason::kUnauthenticated:
    case Reason::kConflict:
    case Reason::kInvalidArgument:
      return 3;
    case Reason::kUnavailable:
    case Reason::kTimeout:
    case Reason::kRateLimited:
      return 4;
    default:
      return 1;
  }
}

int Failed(std::string_view what, const Error& error) {
  LogError("pawl-agent: " + std::string(what), error);
  return ExitStatus(error.reason);
}

int RunEnrol(Options options) {
  if (options.enrol.claim_file.empty()) WrongUsage("enrol needs --claim FILE");
  if (options.enrol.url.empty()) WrongUsage("enrol needs --url https://HOST:PORT");
  options.enrol.folder = options.folder;
  const auto facts = Enrol(options.enrol);
  if (!facts) return Failed("enrol", facts.error());
  std::printf("enrolled %s\n", facts->common_name.c_str());
  return 0;
}

int RunStatus(const Options& options) {
  const auto config = LoadConfig(options.folder);
  if (!config) return Failed("status", config.error());
  const auto status = ReadStatus(*config);
  if (!status) return Failed("status", status.error());
  std::fputs((options.json ? StatusJson(*status) + "\n" : StatusText(*status)).c_str(), stdout);
  return 0;
}

Result<std::unique_ptr<Board>> OpenBoard(const Config& config) {
  if (std::getenv(kMachineLineVariable) != nullptr) {
    PAWL_ASSIGN(MachineLine line, MachineLine::FromEnvironment());
    return std::make_unique<MachineBoard>(std::move(line));
  }
  PAWL_ASSIGN(const auto command_line, ReadFile("/proc/cmdline", 65536));
  const char* given = std::getenv("PAWL_HANDOFF");
  PAWL_ASSIGN(const HandOff hand_off, ParseHandOff(given != nullptr ? given : command_line));
  PAWL_ASSIGN(auto board, LinuxBoard::Open(hand_off, config.watchdog_device, config.reboot_command));
  return board;
}

int RunAgent(const Options& options) {
  const auto config = LoadConfig(options.folder);
  if (!config) return Failed("run", config.error());
  if (!config->serial.empty()) {
    const Status ended = RunGateway(*config);
    return ended ? 0 : Failed("run", ended.error());
  }
  auto board = OpenBoard(*config);
  if (!board) return Failed("run", board.error());
  auto agent = Agent::Open(*config, OnThisMachine(std::move(*board), {}));
  if (!agent) return Failed("run", agent.error());
  (*agent)->Run();
  return 0;
}

int Main(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word == "--help" || word == "-h") return std::fputs(kUsage, stdout) < 0 ? 1 : 0;
    if (word == "--version") return std::printf("pawl-agent %s\n", std::string(kVersion).c_str()) < 0 ? 1 : 0;
  }
  const Options options = ParseOptions(words);
  if (options.command == "run") return RunAgent(options);
  if (options.command == "status") return RunStatus(options);
  if (options.command == "enrol") return RunEnrol(options);
  WrongUsage(options.command.empty() ? "what to do? run, status or enrol" : "unknown command " + options.command);
}

}  // namespace
}  // namespace pawl::agent

int main(int argc, char** argv) {
  ::umask(022);
  return pawl::agent::Main({argv + 1, argv + argc});
}
