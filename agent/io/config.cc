#include "agent/io/config.h"

#include <unistd.h>

#include <charconv>
#include <functional>
#include <map>
#include <sstream>

#define TOML_EXCEPTIONS 0
#define TOML_ASSERT(expression) static_cast<void>(0)  // it asserts on some malformed files before it reports them
#include <toml++/toml.h>

#include "base/hosted/files.h"

namespace pawl::agent {
namespace {

constexpr std::size_t kMaxConfigBytes = 65536;
constexpr std::size_t kMaxUrls = 8;
constexpr std::size_t kMaxAttributeBytes = 128;

std::unexpected<Error> Bad(std::string_view key, std::string_view why) {
  Error error{Reason::kInvalidArgument, "agent.toml: "};
  error.detail.append(key).append(": ").append(why);
  return std::unexpected(error);
}

// --- values, from TOML or from the environment's text ---

Status SetText(std::string& to, std::string_view key, const toml::node& value) {
  const auto text = value.value_exact<std::string>();
  if (!text) return Bad(key, "must be a text");
  to = *text;
  return {};
}

template <class T>
Status SetNumber(T& to, std::string_view key, const toml::node& value) {
  const auto number = value.value_exact<std::int64_t>();
  if (!number || *number < 0 || static_cast<std::uint64_t>(*number) > std::numeric_limits<T>::max()) {
    return Bad(key, "must be a number, 0 or more");
  }
  to = static_cast<T>(*number);
  return {};
}

Status SetFlag(bool& to, std::string_view key, const toml::node& value) {
  const auto flag = value.value_exact<bool>();
  if (!flag) return Bad(key, "must be true or false");
  to = *flag;
  return {};
}

Status SetList(std::vector<std::string>& to, std::string_view key, const toml::node& value) {
  const toml::array* list = value.as_array();
  if (list == nullptr || list->size() > kMaxUrls) return Bad(key, "must be a list of at most 8 texts");
  to.clear();
  for (const toml::node& item : *list) PAWL_TRY(SetText(to.emplace_back(), key, item));
  return {};
}

Status SetAttributes(std::vector<wire::Attribute>& to, std::string_view key, const toml::node& value) {
  const toml::table* table = value.as_table();
  if (table == nullptr || table->size() > wire::kMaxAttributes) return Bad(key, "must be a table of at most 16 texts");
  to.clear();
  for (const auto& [name, item] : *table) {
    wire::Attribute attribute{std::string(name.str()), {}};
    PAWL_TRY(SetText(attribute.value, key, item));
    if (attribute.name.size() + attribute.value.size() > kMaxAttributeBytes)
      return Bad(key, "an attribute is too long");
    to.push_back(std::move(attribute));
  }
  return {};
}

using Setter = std::function<Status(Config&, std::string_view, const toml::node&)>;

const std::map<std::string, Setter, std::less<>>& Setters() {
  static const auto& setters = *new std::map<std::string, Setter, std::less<>>{
#define PAWL_SET(name, set) \
  {#name, [](Config& c, std::string_view key, const toml::node& value) { return set(c.name, key, value); }}
      PAWL_SET(anchors, SetText),
      PAWL_SET(identity, SetText),
      PAWL_SET(record, SetText),
      PAWL_SET(slot_a, SetText),
      PAWL_SET(slot_b, SetText),
      PAWL_SET(data, SetText),
      PAWL_SET(mqtt_url, SetText),
      PAWL_SET(https_urls, SetList),
      PAWL_SET(bind_address, SetText),
      PAWL_SET(gateway, SetText),
      PAWL_SET(allow_loopback, SetFlag),
      PAWL_SET(attributes, SetAttributes),
      PAWL_SET(backoff_max_s, SetNumber),
      PAWL_SET(download_rate_max, SetNumber),
      PAWL_SET(download_rate_min, SetNumber),
      PAWL_SET(download_deadline_s, SetNumber),
      PAWL_SET(patience_s, SetNumber),
      PAWL_SET(link_wait_s, SetNumber),
      PAWL_SET(watchdog_device, SetText),
      PAWL_SET(reboot_command, SetList),
      PAWL_SET(serial, SetText),
      PAWL_SET(serial_baud, SetNumber),
      PAWL_SET(via, SetText),
#undef PAWL_SET
  };
  return setters;
}

Status Apply(Config& config, const toml::table& table) {
  for (const auto& [key, value] : table) {
    const auto setter = Setters().find(key.str());
    if (setter == Setters().end()) return Bad(key.str(), "no such key; docs/spec/agent.md lists them");
    PAWL_TRY(setter->second(config, key.str(), value));
  }
  return {};
}

std::unexpected<Error> Malformed(const toml::parse_error& error) {
  std::ostringstream text;
  text << "agent.toml: line " << error.source().begin.line << ": " << error.description();
  return Fail(Reason::kMalformed, text.str());
}

// toml++ is not to be trusted with other characters, and no key needs them.
Status CheckAscii(std::string_view toml) {
  std::uint64_t line = 1;
  for (const char c : toml) {
    if (c == '\n') ++line;
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x7F && (byte >= 0x20 || c == '\n' || c == '\r' || c == '\t')) continue;
    Error error{Reason::kMalformed, "agent.toml: line "};
    error.detail.append_number(line).append(": only plain ASCII is allowed");
    return std::unexpected(error);
  }
  return {};
}

// PAWL_AGENT_BACKOFF_MAX_S=5 is backoff_max_s = 5. A value that is no TOML value is a text.
Status ApplyVariable(Config& config, std::string_view entry) {
  constexpr std::string_view kPrefix = "PAWL_AGENT_";
  const std::size_t equals = entry.find('=');
  if (!entry.starts_with(kPrefix) || equals == std::string_view::npos) return {};
  std::string key(entry.substr(kPrefix.size(), equals - kPrefix.size()));
  for (char& c : key) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  const std::string_view value = entry.substr(equals + 1);
  PAWL_TRY(CheckAscii(entry));
  toml::parse_result parsed = toml::parse(key + " = " + std::string(value) + "\n");
  if (parsed) return Apply(config, parsed.table());
  toml::table table;
  table.insert(key, std::string(value));
  return Apply(config, table);
}

// What a child behind a serial line decides by itself cannot be set here.
Status CheckChild(const Config& config, const Config& defaults) {
  if (config.serial.empty()) return config.via.empty() ? Status{} : Bad("via", "only with serial");
  if (!wire::IsDeviceId(config.via)) return Bad("via", "with serial: this gateway's name, [a-z0-9][a-z0-9._-]{0,62}");
  constexpr std::string_view kChilds = "the child behind the serial line has its own";
  if (config.record != defaults.record) return Bad("record", kChilds);
  if (config.slot_a != defaults.slot_a) return Bad("slot_a", kChilds);
  if (config.slot_b != defaults.slot_b) return Bad("slot_b", kChilds);
  if (config.watchdog_device != defaults.watchdog_device) return Bad("watchdog_device", kChilds);
  if (config.reboot_command != defaults.reboot_command) return Bad("reboot_command", kChilds);
  return {};
}

Status Check(const Config& config) {
  if (!config.mqtt_url.empty()) PAWL_TRY(ParseEndpoint(config.mqtt_url, "mqtts", 8883));
  for (const std::string& url : config.https_urls) PAWL_TRY(ParseEndpoint(url, "https", 443));
  if (!config.gateway.empty()) PAWL_TRY(ParseEndpoint(config.gateway, "", 80));
  if (config.backoff_max_s == 0) return Bad("backoff_max_s", "must be at least 1");
  if (config.download_rate_max != 0 && config.download_rate_max < 2 * config.download_rate_min) {
    return Bad("download_rate_max", "must be at least twice download_rate_min");
  }
  return {};
}

std::vector<std::string> Environment() {
  std::vector<std::string> entries;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) entries.emplace_back(*entry);
  return entries;
}

}  // namespace

Config DefaultConfig(const std::string& folder) {
  Config config;
  config.anchors = folder + "/rom/anchors.cbor";
  config.identity = folder + "/rom/identity.cbor";
  config.record = folder + "/flash/record.bin";
  config.slot_a = folder + "/flash/slot_a.bin";
  config.slot_b = folder + "/flash/slot_b.bin";
  config.data = folder + "/data";
  config.reboot_command = {"/sbin/reboot"};
  return config;
}

Result<Config> ParseConfig(const std::string& folder, std::string_view toml,
                           const std::vector<std::string>& environment) {
  Config config = DefaultConfig(folder);
  PAWL_TRY(CheckAscii(toml));
  const toml::parse_result parsed = toml::parse(toml);
  if (!parsed) return Malformed(parsed.error());
  PAWL_TRY(Apply(config, parsed.table()));
  for (const std::string& entry : environment) PAWL_TRY(ApplyVariable(config, entry));
  PAWL_TRY(Check(config));
  PAWL_TRY(CheckChild(config, DefaultConfig(folder)));
  return config;
}

Result<Config> LoadConfig(const std::string& folder) {
  const std::string path = DefaultConfig(folder).InData("agent.toml");
  const auto content = ReadFile(path, kMaxConfigBytes);
  if (!content && content.error().reason != Reason::kNotFound) return std::unexpected(content.error());
  return ParseConfig(folder, content ? std::string_view(*content) : std::string_view{}, Environment());
}

std::vector<std::string> ConfigKeys() {
  std::vector<std::string> keys;
  for (const auto& [key, setter] : Setters()) keys.push_back(key);
  return keys;
}

Result<HostPort> ParseEndpoint(std::string_view text, std::string_view scheme, std::uint16_t default_port) {
  const auto bad = [&] {
    Error error{Reason::kInvalidArgument, text};
    error.detail.append(" is not ").append(scheme).append(scheme.empty() ? "HOST[:PORT]" : "://HOST[:PORT]");
    return std::unexpected(error);
  };
  std::string_view rest = text;
  if (!scheme.empty()) {
    if (!rest.starts_with(scheme) || !rest.substr(scheme.size()).starts_with("://")) return bad();
    rest.remove_prefix(scheme.size() + 3);
    if (rest.ends_with('/')) rest.remove_suffix(1);
  }
  HostPort endpoint{.host = {}, .port = default_port};
  std::string_view port;
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return bad();
    endpoint.host = rest.substr(1, end - 1);
    port = rest.substr(end + 1);
  } else {
    const std::size_t colon = rest.find(':');
    endpoint.host = rest.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon);
  }
  if (endpoint.host.empty() || endpoint.host.find_first_of("/?#@ ") != std::string::npos) return bad();
  if (port.empty()) return endpoint;
  port.remove_prefix(1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (error != std::errc() || end != port.data() + port.size() || endpoint.port == 0) return bad();
  return endpoint;
}

}  // namespace pawl::agent
