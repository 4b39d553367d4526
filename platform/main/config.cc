#include "platform/main/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include "platform/main/network.h"

namespace pawl::platform {
namespace {

using Setter = Status (*)(Config&, const std::vector<std::string>& values);
using Getter = std::string (*)(const Config&);

struct Setting {
  std::string_view name;
  bool list;
  Setter set;
  Getter get;
  std::string_view text;
};

// --- Kinds of values ---

std::optional<std::uint64_t> Number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<Address> ParseAddress(const std::string& text) {
  const auto bad = [&] {
    return Fail(Reason::kInvalidArgument, "\"" + text + "\" is not ADDRESS:PORT such as 127.0.0.1:8443 or [::]:8443");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return bad();
  std::string host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto port = Number(text.substr(colon + 1));
  if (!IsIpAddress(host) || !port || *port == 0 || *port > 65535) return bad();
  return Address{host, static_cast<std::uint16_t>(*port)};
}

template <Address Config::* kMember>
Status SetAddress(Config& config, const std::vector<std::string>& values) {
  PAWL_ASSIGN(config.*kMember, ParseAddress(values.front()));
  return {};
}
template <Address Config::* kMember>
std::string GetAddress(const Config& config) {
  return (config.*kMember).text();
}

template <std::string Config::* kMember>
Status SetText(Config& config, const std::vector<std::string>& values) {
  config.*kMember = values.front();
  return {};
}
template <std::string Config::* kMember>
std::string GetText(const Config& config) {
  return config.*kMember;
}

template <std::vector<std::string> Config::* kMember>
Status SetList(Config& config, const std::vector<std::string>& values) {
  config.*kMember = values;
  return {};
}
template <std::vector<std::string> Config::* kMember>
std::string GetList(const Config& config) {
  std::string text;
  for (const std::string& item : config.*kMember) text += (text.empty() ? "" : ",") + item;
  return text;
}

template <std::uint64_t Config::* kMember, std::uint64_t kMin, std::uint64_t kMax>
Status SetNumber(Config& config, const std::vector<std::string>& values) {
  const auto value = Number(values.front());
  if (!value || *value < kMin || *value > kMax) {
    return Fail(Reason::kInvalidArgument, "\"" + values.front() + "\" is not a number from " + std::to_string(kMin) +
                                              " to " + std::to_string(kMax));
  }
  config.*kMember = *value;
  return {};
}
template <std::uint64_t Config::* kMember>
std::string GetNumber(const Config& config) {
  return std::to_string(config.*kMember);
}

Status SetLogLevel(Config& config, const std::vector<std::string>& values) {
  const std::string& level = values.front();
  if (level != "debug" && level != "info" && level != "warning" && level != "error") {
    return Fail(Reason::kInvalidArgument, "\"" + level + "\" is not debug, info, warning or error");
  }
  config.log_level = level;
  return {};
}

#define PAWL_ADDRESS(name, text) {#name, false, SetAddress<&Config::name>, GetAddress<&Config::name>, text}
#define PAWL_TEXT(name, text) {#name, false, SetText<&Config::name>, GetText<&Config::name>, text}
#define PAWL_LIST(name, text) {#name, true, SetList<&Config::name>, GetList<&Config::name>, text}
#define PAWL_NUMBER(name, min, max, text) \
  {#name, false, SetNumber<&Config::name, min, max>, GetNumber<&Config::name>, text}

const Setting kSettings[] = {
    PAWL_ADDRESS(api_listen, "operator API"),
    PAWL_ADDRESS(device_listen, "device HTTPS"),
    PAWL_ADDRESS(mqtt_listen, "MQTT over TLS, of the embedded broker"),
    PAWL_LIST(server_names,
              "names and addresses that the server certificate has besides localhost, loopback and the listeners'"),
    PAWL_LIST(device_urls, "where devices reach device HTTPS, first choice first; empty: https://<device_listen>"),
    PAWL_TEXT(broker, "an MQTT 5 broker that somebody else runs: mqtts://host:port; empty: Mosquitto as a child"),
    PAWL_TEXT(broker_ca, "PEM: who signed that broker's certificate"),
    PAWL_TEXT(broker_certificate, "PEM: the platform's client certificate for that broker"),
    PAWL_TEXT(broker_key, "PEM: its key"),
    PAWL_TEXT(broker_username, "user name at that broker; empty: none"),
    PAWL_TEXT(mosquitto, "the embedded broker's program; empty: /usr/sbin/mosquitto"),
    PAWL_TEXT(mosquitto_plugin, "pawl-mosquitto.so; empty: looked up beside pawld"),
    PAWL_TEXT(mosquitto_user, "user of the embedded broker when pawld runs as root; empty: mosquitto"),
    PAWL_TEXT(signer, "socket of a pawl-signer that somebody else runs; empty: a child"),
    PAWL_TEXT(signer_program, "the embedded signer's program; empty: looked up beside pawld"),
    PAWL_TEXT(signer_config, "the embedded signer's configuration file, for another HSM; empty: SoftHSM in hsm/"),
    PAWL_NUMBER(artifact_bytes_max, 1, std::uint64_t{1} << 36, "largest upload, in bytes"),
    PAWL_NUMBER(device_certificate_days, 1, 3650, "life of a device's certificate"),
    PAWL_NUMBER(server_certificate_days, 1, 730, "life of the server certificate; renewed at two thirds"),
    PAWL_NUMBER(permit_life_s, 1, 600, "seconds within which a device must use a permit"),
    PAWL_NUMBER(acknowledge_within_s, 1, 86400, "seconds within which a connected device must acknowledge its job"),
    PAWL_NUMBER(connections_max, 16, 100000, "HTTPS connections open at once"),
    PAWL_NUMBER(connections_per_address_max, 4, 100000, "of them from one address"),
    PAWL_NUMBER(event_streams_max, 1, 10000, "clients that follow the events at once"),
    PAWL_NUMBER(workers, 2, 256, "threads that answer requests"),
    PAWL_NUMBER(uploads_max, 1, 64, "uploads at once"),
    PAWL_NUMBER(enrolments_per_s, 1, 10000, "enrolments a second from one address, on average"),
    {"log_level", false, SetLogLevel, GetText<&Config::log_level>, "debug, info, warning or error"},
};

const Setting* Find(std::string_view name) {
  const auto* found = std::ranges::find(kSettings, name, &Setting::name);
  return found == std::end(kSettings) ? nullptr : found;
}

std::unexpected<Error> Wrong(std::string_view where, std::string_view name, std::string_view what) {
  return Fail(Reason::kInvalidArgument, std::string(where) + ": " + std::string(name) + ": " + std::string(what));
}

Status Apply(Config& config, const Setting& setting, const std::vector<std::string>& values, std::string_view where) {
  const Status set = setting.set(config, values);
  return set ? Status() : Wrong(where, setting.name, set.error().detail);
}

// --- Text: environment and flags ---

std::vector<std::string> SplitList(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    if (end > 0) items.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return items;
}

Status ApplyOverrides(Config& config, const Overrides& overrides, std::string_view where) {
  for (const auto& [name, value] : overrides) {
    const Setting* setting = Find(name);
    if (setting == nullptr) return Wrong(where, name, "no such setting; see pawld --help");
    PAWL_TRY(Apply(config, *setting, setting->list ? SplitList(value) : std::vector{value}, where));
  }
  return {};
}

// --- The file ---

std::optional<std::string> ScalarText(const toml::node& node) {
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto number = node.value_exact<std::int64_t>()) return std::to_string(*number);
  return std::nullopt;
}

Result<std::vector<std::string>> ValuesOf(const Setting& setting, const toml::node& node, std::string_view where) {
  std::vector<std::string> values;
  const toml::array* array = node.as_array();
  if (setting.list != (array != nullptr))
    return Wrong(where, setting.name, setting.list ? "must be a list of texts" : "must be a text or a number");
  if (array == nullptr) {
    const auto text = ScalarText(node);
    if (!text) return Wrong(where, setting.name, "must be a text or a number");
    return std::vector{*text};
  }
  for (const toml::node& item : *array) {
    const auto text = item.value_exact<std::string>();
    if (!text) return Wrong(where, setting.name, "must be a list of texts");
    values.push_back(*text);
  }
  return values;
}

Status ApplyTable(Config& config, const toml::table& table, const std::string& path) {
  for (const auto& [key, node] : table) {
    const std::string where = path + ", line " + std::to_string(node.source().begin.line);
    const Setting* setting = Find(key.str());
    if (setting == nullptr) return Wrong(where, key.str(), "no such setting; see pawld --help");
    PAWL_ASSIGN(const auto values, ValuesOf(*setting, node, where));
    PAWL_TRY(Apply(config, *setting, values, where));
  }
  return {};
}

Status ApplyFile(Config& config, const std::string& path) {
  try {
    return ApplyTable(config, toml::parse_file(path), path);
  } catch (const toml::parse_error& error) {
    return Fail(Reason::kInvalidArgument,
                path + ", line " + std::to_string(error.source().begin.line) + ": " + std::string(error.description()));
  }
}

Status CheckTogether(const Config& config) {
  if (!config.broker.empty() && !config.broker.starts_with("mqtts://"))
    return Wrong("configuration", "broker", "must begin with mqtts://");
  if (!config.broker.empty() && config.broker_ca.empty())
    return Wrong("configuration", "broker_ca", "an external broker needs it");
  for (const std::string& url : config.device_urls) {
    if (!url.starts_with("https://") || url.ends_with('/'))
      return Wrong("configuration", "device_urls", "\"" + url + "\" must begin with https:// and not end with /");
  }
  return {};
}

}  // namespace

std::vector<SettingRow> Settings() {
  const Config defaults;
  std::vector<SettingRow> rows;
  for (const Setting& setting : kSettings) rows.push_back({setting.name, setting.get(defaults), setting.text});
  return rows;
}

Result<Config> LoadConfig(const std::string& data, const std::string& file, const Overrides& environment,
                          const Overrides& flags) {
  Config config;
  if (data.empty())
    return Fail(Reason::kInvalidArgument, "where is the data directory? Give --data DIR or set PAWLD_DATA");
  config.data = std::filesystem::absolute(data).lexically_normal().string();
  while (config.data.size() > 1 && config.data.ends_with('/')) config.data.pop_back();
  const std::string path = file.empty() ? config.data + "/pawld.toml" : file;
  std::error_code error;
  const bool there = std::filesystem::exists(path, error);
  if (!there && !file.empty()) return Fail(Reason::kNotFound, "no configuration file " + path);
  if (there) PAWL_TRY(ApplyFile(config, path));
  PAWL_TRY(ApplyOverrides(config, environment, "environment"));
  PAWL_TRY(ApplyOverrides(config, flags, "flag"));
  PAWL_TRY(CheckTogether(config));
  return config;
}

Result<Overrides> EnvironmentOverrides(const char* const* environment) {
  constexpr std::string_view kPrefix = "PAWLD_";
  Overrides overrides;
  for (; *environment != nullptr; ++environment) {
    const std::string_view entry(*environment);
    const std::size_t equal = entry.find('=');
    if (!entry.starts_with(kPrefix) || equal == std::string_view::npos) continue;
    std::string name(entry.substr(kPrefix.size(), equal - kPrefix.size()));
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (name == "data" || name == "config") continue;
    if (Find(name) == nullptr) return Wrong("environment", entry.substr(0, equal), "no such setting; see pawld --help");
    overrides.emplace_back(std::move(name), std::string(entry.substr(equal + 1)));
  }
  return overrides;
}

}  // namespace pawl::platform
