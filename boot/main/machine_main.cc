// pawl-machine: a virtual machine whose ROM and flash are files. See docs/architecture.md.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "base/text.h"
#include "base/version.h"
#include "boot/main/report.h"
#include "boot/port/host/provision.h"
#include "trust/sign/names.h"

namespace pawl {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 64;

int Complain(const Error& error) {
  const std::string_view detail = error.detail.view();
  std::fprintf(stderr, "pawl-machine: %.*s%s%.*s\n", static_cast<int>(Text(error.reason).size()),
               Text(error.reason).data(), detail.empty() ? "" : ": ", static_cast<int>(detail.size()), detail.data());
  return kFailed;
}

// 8-4-4-4-12 hex digits.
std::optional<Uuid> ParseUuid(const std::string& text) {
  if (text.size() != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return std::nullopt;
  const std::string digits =
      text.substr(0, 8) + text.substr(9, 4) + text.substr(14, 4) + text.substr(19, 4) + text.substr(24);
  Uuid uuid{};
  return HexDecode(digits, uuid) ? std::optional(uuid) : std::nullopt;
}

struct RunOptions {
  Machine::Options machine;
  bool json_log = false;
};

int RunMachine(const RunOptions& options) {
  const auto show = [&options](const MachineEvent& event) {
    std::printf("%s\n", (options.json_log ? EventAsJson(event) : EventAsText(event)).c_str());
    std::fflush(stdout);
  };
  auto machine = Machine::Open(options.machine, show);
  if (!machine) return Complain(machine.error());
  const Result<MachineExit> exit = (*machine)->Run();
  return exit ? static_cast<int>(*exit) : Complain(exit.error());
}

struct InitOptions {
  Provision provision;
  std::string vendor;
  std::string class_name;
};

int Init(InitOptions& options) {
  RomIdentity& identity = options.provision.identity;
  identity.vendor = ParseUuid(options.vendor).value_or(VendorId(options.vendor));
  identity.cls = ParseUuid(options.class_name).value_or(ClassId(identity.vendor, options.class_name));
  const Status made = ProvisionDevice(options.provision);
  if (!made) return Complain(made.error());
  std::printf("%s is ready: pawl-machine --dir %s\n", options.provision.dir.c_str(), options.provision.dir.c_str());
  return 0;
}

int ShowStatus(const std::string& dir, bool as_json) {
  const auto status = ReadDeviceStatus(dir);
  if (!status) return Complain(status.error());
  std::printf("%s", as_json ? (StatusAsJson(*status) + "\n").c_str() : StatusAsText(dir, *status).c_str());
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app("A virtual machine: power, reset line and hardware watchdog around files that are ROM and flash.");
  app.name("pawl-machine");
  app.set_version_flag("--version", std::string("pawl-machine ") + std::string(kVersion));
  app.footer(
      "Signals: SIGTERM, SIGINT switch off; SIGUSR1 lets the power fail and return at once; SIGUSR2 lets it fail, and\n"
      "again SIGUSR2 lets it return.\n"
      "Exit status: 0 switched off (--once: the image has ended), 1 error, 2 ROM refused, 3 nothing bootable "
      "(--once),\n"
      "64 wrong usage.");
  RunOptions run;
  app.add_option("--dir", run.machine.dir, "The device's folder, made by init");
  app.add_flag("--once", run.machine.once, "End with the first image, or when nothing is bootable");
  app.add_flag("--json-log", run.json_log, "Print each event as a line of JSON");

  InitOptions init;
  CLI::App* init_command =
      app.add_subcommand("init", "Make a device, as a factory does: ROM, blank record, an image in slot A");
  init_command->add_option("DIR", init.provision.dir, "The device's folder, to be made")->required();
  init_command->add_option("--anchors", init.provision.anchors_file, "Trust anchors (anchors.cbor)")->required();
  init_command->add_option("--vendor", init.vendor, "The vendor's domain, or its UUID")->required();
  init_command->add_option("--class", init.class_name, "The class's name, or its UUID")->required();
  init_command->add_option("--board-revision", init.provision.identity.board_revision, "")->required();
  init_command
      ->add_option("--min-security-version", init.provision.identity.min_security_version,
                   "No image below it ever boots")
      ->required();
  init_command->add_option("--slot-bytes", init.provision.slot_bytes, "Size of a slot, a multiple of 4096")->required();
  init_command->add_option("--watchdog-ms", init.provision.watchdog_ms, "The watchdog's window")->required();
  init_command->add_option("--image", init.provision.image_file, "The image for slot A")->required();
  init_command->add_option("--envelope", init.provision.envelope_file, "Its signed manifest")->required();

  std::string status_dir;
  bool status_json = false;
  CLI::App* status_command = app.add_subcommand("status", "Show record, slots and verdicts; writes nothing");
  status_command->add_option("DIR", status_dir, "The device's folder")->required();
  status_command->add_flag("--json", status_json, "As JSON");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  if (*init_command) return Init(init);
  if (*status_command) return ShowStatus(status_dir, status_json);
  if (run.machine.dir.empty()) {
    std::fprintf(stderr, "pawl-machine: --dir is required\nRun with --help for more information.\n");
    return kUsage;
  }
  return RunMachine(run);
}

}  // namespace
}  // namespace pawl

int main(int argc, char** argv) { return pawl::Main(argc, argv); }
