#include "signer/main/options.h"

#include <toml++/toml.h>

#include <CLI/CLI.hpp>
#include <array>
#include <filesystem>
#include <map>
#include <set>

#include "base/version.h"
#include "trust/sign/own_token.h"

namespace pawl::sign {
namespace {

constexpr std::string_view kFooter = R"(
Configuration file (TOML); every key may be left out:
  module = "/usr/lib/softhsm/libsofthsm2.so"   # a PKCS#11 module; set it for another HSM (docs/ops/hsm.md)
  token = "pawl"                               # the token's label
  pin_file = "DIR/pin"                         # holds the user PIN, mode 0600
  server_names = ["updates.example.com"]       # what the server CA may certify besides loopback
  allow_users = [1001]                         # numeric user ids that may use the socket besides our own
  [labels]                                     # of the keys on the token
  image = "pawl-image"
  director = "pawl-director"
  device-ca = "pawl-device-ca"
  server-ca = "pawl-server-ca"
Each flag may stand in the environment too: PAWL_SIGNER_DIR, PAWL_SIGNER_MODULE, ...)";

struct Raw {
  std::string folder;
  std::string socket;
  std::string config;
  std::string artifacts;
  std::string offline_keys;
  std::string anchors;
  std::string module;
  std::string token;
  std::string pin_file;
  PerUse<std::string> labels;
  std::vector<std::string> server_names;
  std::vector<uid_t> allowed_users;
};

std::string EnvironmentName(std::string flag) {
  for (char& c : flag) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return "PAWL_SIGNER" + flag.substr(1);
}

template <class T>
CLI::Option* Flag(CLI::App& app, const std::string& flag, T& value, const std::string& text) {
  return app.add_option(flag, value, text)->envname(EnvironmentName(flag));
}

void AddFlags(CLI::App& app, Raw& raw) {
  Flag(app, "--dir", raw.folder, "the signer's own folder: PIN, token, CA certificates, operations log");
  Flag(app, "--socket", raw.socket, "where to listen, or for `status`, whom to ask")->required();
  Flag(app, "--config", raw.config, "configuration file");
  Flag(app, "--artifacts", raw.artifacts, "root of the stored artifacts (default: DIR/../artifacts)");
  Flag(app, "--offline-keys", raw.offline_keys,
       "where the first start puts keys to be moved away (default: DIR/offline-keys)");
  Flag(app, "--anchors", raw.anchors, "the trust anchors' file (default: DIR/anchors.cbor)");
  Flag(app, "--module", raw.module, "PKCS#11 module; the default is SoftHSM2 with a token of the signer's own");
  Flag(app, "--token", raw.token, "the token's label");
  Flag(app, "--pin-file", raw.pin_file, "file with the token's user PIN");
  Flag(app, "--server-name", raw.server_names, "DNS name or address that the server CA may certify; may be repeated")
      ->allow_extra_args(false);
  Flag(app, "--allow-user", raw.allowed_users, "numeric user id that may use the socket; may be repeated")
      ->allow_extra_args(false);
  for (const KeyUse use : kKeyUses) {
    const std::string name = kKeyUseNames[static_cast<std::size_t>(use)];
    Flag(app, "--label-" + name, raw.labels.of(use), "label of the " + name + " key");
  }
}

// --- The file fills what flags and environment left open ---

std::unexpected<Error> FailFile(const std::string& path, std::string_view what) {
  return Fail(Reason::kInvalidArgument, path + ": " + std::string(what));
}

Status FillText(const toml::table& table, std::string_view key, std::string& value, const std::string& path) {
  const toml::node* node = table.get(key);
  if (node == nullptr || !value.empty()) return {};
  const auto text = node->value_exact<std::string>();
  if (!text) return FailFile(path, std::string(key) + " must be a text");
  value = *text;
  return {};
}

template <class T, class Value>
Status FillList(const toml::table& table, std::string_view key, std::vector<Value>& values, const std::string& path) {
  const toml::node* node = table.get(key);
  if (node == nullptr || !values.empty()) return {};
  if (!node->is_array()) return FailFile(path, std::string(key) + " must be a list");
  for (const toml::node& item : *node->as_array()) {
    const auto value = item.value_exact<T>();
    if (!value) return FailFile(path, std::string(key) + " holds a value of another type");
    values.push_back(static_cast<Value>(*value));
  }
  return {};
}

Status RefuseUnknown(const toml::table& table, const std::set<std::string_view>& known, const std::string& path) {
  for (const auto& [key, value] : table) {
    if (!known.contains(key.str())) return FailFile(path, "unknown key \"" + std::string(key.str()) + "\"");
  }
  return {};
}

Status FillFromTable(const toml::table& table, Raw& raw) {
  const std::string& path = raw.config;
  PAWL_TRY(RefuseUnknown(table, {"module", "token", "pin_file", "server_names", "allow_users", "labels"}, path));
  PAWL_TRY(FillText(table, "module", raw.module, path));
  PAWL_TRY(FillText(table, "token", raw.token, path));
  PAWL_TRY(FillText(table, "pin_file", raw.pin_file, path));
  PAWL_TRY(FillList<std::string>(table, "server_names", raw.server_names, path));
  PAWL_TRY(FillList<std::int64_t>(table, "allow_users", raw.allowed_users, path));
  const toml::node* node = table.get("labels");
  if (node == nullptr) return {};
  const toml::table* labels = node->as_table();
  if (labels == nullptr) return FailFile(path, "labels must be a table");
  PAWL_TRY(RefuseUnknown(*labels, {kKeyUseNames.begin(), kKeyUseNames.end()}, path));
  for (const KeyUse use : kKeyUses) {
    PAWL_TRY(FillText(*labels, kKeyUseNames[static_cast<std::size_t>(use)], raw.labels.of(use), path));
  }
  return {};
}

Status FillFromFile(Raw& raw) {
  if (raw.config.empty()) return {};
  try {
    return FillFromTable(toml::parse_file(raw.config), raw);
  } catch (const toml::parse_error& error) {
    return FailFile(raw.config,
                    std::string(error.description()) + " in line " + std::to_string(error.source().begin.line));
  }
}

std::string Or(const std::string& value, const std::string& otherwise) { return value.empty() ? otherwise : value; }

// Absolute, since SoftHSM's configuration names the folder; without a slash at its end, since paths are compared with
// it.
std::string FolderPath(const std::string& path) {
  std::error_code empty;  // no folder is needed to ask for the status
  std::string absolute = std::filesystem::absolute(path, empty).lexically_normal().string();
  while (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();
  return absolute;
}

Options Complete(const Raw& raw) {
  Options options;
  options.socket = raw.socket;
  options.allowed_users = raw.allowed_users;
  ServiceSettings& service = options.service;
  service.folder = FolderPath(raw.folder);
  service.own_token = raw.module.empty();
  service.artifacts = FolderPath(Or(raw.artifacts, service.folder + "/../artifacts"));
  service.offline_keys = FolderPath(Or(raw.offline_keys, service.folder + "/offline-keys"));
  service.anchors = Or(raw.anchors, service.folder + "/anchors.cbor");
  service.server_names = raw.server_names;
  service.hsm.module = Or(raw.module, kSoftHsmModule);
  service.hsm.token = Or(raw.token, "pawl");
  service.hsm.pin_file = Or(raw.pin_file, OwnPinFile(service.folder));
  for (const KeyUse use : kKeyUses) {
    service.hsm.labels.of(use) =
        Or(raw.labels.of(use), std::string("pawl-") + kKeyUseNames[static_cast<std::size_t>(use)]);
  }
  return options;
}

}  // namespace

Result<ParsedOptions> ParseOptions(int argc, char** argv) {
  CLI::App app("pawl-signer: signs pawl's manifests, permits and certificates with keys in an HSM", "pawl-signer");
  app.footer(std::string(kFooter));
  app.set_version_flag("--version", "pawl-signer " + std::string(kVersion));
  Raw raw;
  AddFlags(app, raw);
  const CLI::App* status = app.add_subcommand("status", "asks a running signer how it is")->fallthrough();
  try {
    app.parse(argc, argv);
    if (!status->parsed() && raw.folder.empty()) throw CLI::RequiredError("--dir");
  } catch (const CLI::ParseError& error) {
    return ParsedOptions{std::nullopt, app.exit(error)};
  }
  PAWL_TRY(FillFromFile(raw));
  ParsedOptions parsed{Complete(raw), 0};
  parsed.options->status_only = status->parsed();
  return parsed;
}

}  // namespace pawl::sign
