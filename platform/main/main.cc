// pawld: the platform's program.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>

#include "base/version.h"
#include "platform/main/app.h"
#include "platform/main/config.h"
#include "platform/main/log.h"

extern char** environ;

namespace pawl::platform {
namespace {

constexpr int kFailed = 1;

std::string Flag(std::string_view setting) {
  std::string flag = "--" + std::string(setting);
  std::ranges::replace(flag, '_', '-');
  return flag;
}

struct Arguments {
  std::string data;
  std::string config;
  std::map<std::string, std::string> settings;
  bool check_only = false;

  Overrides overrides() const { return {settings.begin(), settings.end()}; }
};

void AddFlags(CLI::App& app, Arguments& arguments) {
  app.add_option("--data", arguments.data, "the data directory; made on the first start")->envname("PAWLD_DATA");
  app.add_option("--config", arguments.config, "configuration file (default: DATA/pawld.toml, if it is there)")
      ->envname("PAWLD_CONFIG");
  for (const SettingRow& row : Settings()) {
    const std::string name(row.name);
    const std::string text = std::string(row.text) + (row.value.empty() ? "" : " [" + row.value + "]");
    app.add_option_function<std::string>(
        Flag(name), [&arguments, name](const std::string& value) { arguments.settings[name] = value; }, text);
  }
}

Result<Config> Load(const Arguments& arguments) {
  PAWL_ASSIGN(const Overrides environment, EnvironmentOverrides(environ));
  return LoadConfig(arguments.data, arguments.config, environment, arguments.overrides());
}

// To a person at a terminal, not to the log.
int Complain(const Error& error) {
  std::fprintf(stderr, "pawld: %s: %s\n", std::string(Text(error.reason)).c_str(),
               std::string(error.detail.view()).c_str());
  return kFailed;
}

void BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int Main(int argc, char** argv) {
  CLI::App app("pawld: the platform of pawl, over-the-air firmware updates", "pawld");
  app.set_version_flag("--version", "pawld " + std::string(kVersion));
  app.footer(
      "Every setting may stand in pawld.toml under its name with '_' for '-', or in the environment as PAWLD_NAME.\n"
      "Flags win over the environment, the environment over the file. See docs/ops/platform.md.");
  Arguments arguments;
  AddFlags(app, arguments);
  const CLI::App* check =
      app.add_subcommand("check-config", "reads the configuration, says what is wrong with it, and ends")
          ->fallthrough();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  const auto config = Load(arguments);
  if (!config) return Complain(config.error());
  if (check->parsed()) {
    std::printf("the configuration is good\n");
    return 0;
  }
  BlockSignals();
  SetUpLog(config->log_level);
  const Status done = Run(*config, [&] { return Load(arguments); });
  return done ? 0 : Complain(done.error());
}

}  // namespace
}  // namespace pawl::platform

int main(int argc, char** argv) { return pawl::platform::Main(argc, argv); }
