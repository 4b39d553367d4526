// pawld's configuration: defaults, then pawld.toml, then the environment (PAWLD_*), then flags.
//
// Every setting is one row of the table in config.cc; docs/ops/platform.md is held against it by a test.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace pawl::platform {

struct Address {
  std::string host;  // an IP address
  std::uint16_t port = 0;
  std::string text() const {
    return host.find(':') == std::string::npos ? host + ":" + std::to_string(port)
                                               : "[" + host + "]:" + std::to_string(port);
  }
};

struct Config {
  std::string data;  // absolute
  Address api_listen{"127.0.0.1", 8443};
  Address device_listen{"127.0.0.1", 8444};
  Address mqtt_listen{"127.0.0.1", 8883};
  std::vector<std::string> server_names;  // further names and addresses in the server certificate
  std::vector<std::string> device_urls;   // where devices reach device HTTPS; default: https://<device_listen>

  std::string broker;  // "mqtts://host:port": an external one; empty: embedded
  std::string broker_ca, broker_certificate, broker_key, broker_username;
  std::string mosquitto, mosquitto_plugin, mosquitto_user;

  std::string signer;  // socket of a signer that somebody else runs; empty: our child
  std::string signer_program, signer_config;

  std::uint64_t artifact_bytes_max = std::uint64_t{1} << 30;
  std::uint64_t device_certificate_days = 365;
  std::uint64_t server_certificate_days = 365;
  std::uint64_t permit_life_s = 120;
  std::uint64_t acknowledge_within_s = 60;
  std::uint64_t connections_max = 8192;
  std::uint64_t connections_per_address_max = 2048;
  std::uint64_t event_streams_max = 256;
  std::uint64_t workers = 16;
  std::uint64_t uploads_max = 8;
  std::uint64_t enrolments_per_s = 20;

  std::string log_level = "info";  // debug, info, warning, error
};

// What a person may set, for --help and the documentation.
struct SettingRow {
  std::string_view name;
  std::string value;  // the default, as text
  std::string_view text;
};
std::vector<SettingRow> Settings();

using Overrides = std::vector<std::pair<std::string, std::string>>;  // name, value as text; lists are comma-separated

// Reads `<data>/pawld.toml` (if it is there; `file` if that is not empty, then it must be), then applies the
// environment and the flags. Errors: invalid argument, not found; the detail names file, line or variable, and the
// setting.
Result<Config> LoadConfig(const std::string& data, const std::string& file, const Overrides& environment,
                          const Overrides& flags);

// The PAWLD_* variables of this process that name a setting. Errors: invalid argument (an unknown PAWLD_ variable).
Result<Overrides> EnvironmentOverrides(const char* const* environment);

}  // namespace pawl::platform
