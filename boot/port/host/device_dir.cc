#include "boot/port/host/device_dir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <cerrno>
#include <cstring>

#include "base/hosted/files.h"
#include "base/text.h"
#include "trust/crypto/crypto.h"

namespace pawl {
namespace {

constexpr std::uint64_t kMaxConfigBytes = 64 * 1024;
constexpr std::uint64_t kMaxRomFileBytes = kMaxAnchorsBytes;
constexpr std::int64_t kConfigVersion = 1;

template <class T>
Result<T> NumberOf(const toml::table& table, const std::string& path, std::string_view key, std::uint64_t least,
                   std::uint64_t most) {
  const std::optional<std::int64_t> value = table[key].value_exact<std::int64_t>();
  if (!value) return FailWith(Reason::kMalformed, {path, ": ", key, " is missing or no integer"});
  if (*value < 0 || static_cast<std::uint64_t>(*value) < least || static_cast<std::uint64_t>(*value) > most) {
    return FailWith(Reason::kInvalidArgument,
                    {path, ": ", key, " must be between ", std::to_string(least), " and ", std::to_string(most)});
  }
  return static_cast<T>(*value);
}

Result<Digest> DigestOf(const toml::table& table, const std::string& path, std::string_view key) {
  const std::optional<std::string> text = table[key].value_exact<std::string>();
  Digest digest{};
  if (!text || !HexDecode(*text, digest)) {
    return FailWith(Reason::kMalformed, {path, ": ", key, " must be the 64 hex digits of a SHA-256"});
  }
  return digest;
}

std::string Hex(const Digest& digest) {
  std::string text(2 * digest.size(), ' ');
  HexEncode(digest, text);
  return text;
}

// ROM is what nobody can write: a plain file without any write permission.
Result<std::string> ReadRomFile(const std::string& path, const Digest& expected) {
  const OwnedFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) {
    if (errno == ENOENT) return FailWith(Reason::kNotFound, {"ROM: ", path, " is missing"});
    if (errno == ELOOP) return FailWith(Reason::kForbidden, {"ROM: ", path, " is a symbolic link, not a file"});
    return FailWith(Reason::kIo, {"ROM: ", path, " cannot be opened"}, errno);
  }
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return FailWith(Reason::kIo, {"ROM: ", path}, errno);
  if (!S_ISREG(info.st_mode)) return FailWith(Reason::kForbidden, {"ROM: ", path, " is not a plain file"});
  if ((info.st_mode & 0222) != 0) {
    return FailWith(Reason::kForbidden,
                    {"ROM: ", path, " may be written; ROM must not (chmod 0444, if it is genuine)"});
  }
  PAWL_ASSIGN(std::string content, ReadAll(fd, path, kMaxRomFileBytes));
  if (crypto::Hash(AsBytes(content)) != expected) {
    return FailWith(Reason::kCorrupt, {"ROM: ", path, " is not what this machine was made with"});
  }
  return content;
}

Status CheckRomFolder(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) return FailWith(Reason::kNotFound, {"ROM: ", path, " is missing"});
  if (!S_ISDIR(info.st_mode) || (info.st_mode & 0022) != 0) {
    return FailWith(Reason::kForbidden, {"ROM: ", path, " is not a folder that only its owner may write"});
  }
  return {};
}

}  // namespace

std::unexpected<Error> FailWith(Reason reason, std::initializer_list<std::string_view> parts, int number) {
  Error error{.reason = reason, .detail = {}};
  for (const std::string_view part : parts) error.detail.append(part);
  if (number != 0) error.detail.append(": ").append(std::strerror(number));
  return std::unexpected(error);
}

Result<MachineConfig> LoadMachineConfig(const std::string& path) {
  PAWL_ASSIGN(const std::string content, ReadFile(path, kMaxConfigBytes));
  const toml::parse_result parsed = toml::parse(content);
  if (!parsed) {
    return FailWith(Reason::kMalformed, {path, ", line ", std::to_string(parsed.error().source().begin.line), ": ",
                                         parsed.error().description()});
  }
  const toml::table& table = parsed.table();
  PAWL_ASSIGN(const auto version, NumberOf<std::int64_t>(table, path, "version", 1, 1U << 30));
  if (version != kConfigVersion) {
    return FailWith(Reason::kUnsupportedVersion, {path, ": version ", std::to_string(version), "; this is version 1"});
  }
  MachineConfig config;
  PAWL_ASSIGN(config.watchdog_ms, NumberOf<std::uint32_t>(table, path, "watchdog_ms", kMinWatchdogMs, kMaxWatchdogMs));
  PAWL_ASSIGN(config.slot_bytes, NumberOf<std::uint64_t>(table, path, "slot_bytes", kMinSlotBytes, kMaxSlotBytes));
  PAWL_ASSIGN(config.anchors_sha256, DigestOf(table, path, "anchors_sha256"));
  PAWL_ASSIGN(config.identity_sha256, DigestOf(table, path, "identity_sha256"));
  return config;
}

std::string ToToml(const MachineConfig& config) {
  return "# A virtual machine of pawl, made by `pawl-machine init`.\n"
         "version = 1\n"
         "watchdog_ms = " +
         std::to_string(config.watchdog_ms) +
         "\n"
         "slot_bytes = " +
         std::to_string(config.slot_bytes) +
         "\n"
         "# Fuses: SHA-256 of the files in rom/.\n"
         "anchors_sha256 = \"" +
         Hex(config.anchors_sha256) +
         "\"\n"
         "identity_sha256 = \"" +
         Hex(config.identity_sha256) + "\"\n";
}

Result<Rom> LoadRom(const DevicePaths& paths, const MachineConfig& config) {
  PAWL_TRY(CheckRomFolder(paths.rom));
  PAWL_ASSIGN(const auto anchors, ReadRomFile(paths.anchors, config.anchors_sha256));
  PAWL_ASSIGN(const auto identity, ReadRomFile(paths.identity, config.identity_sha256));
  Rom rom;
  auto table = DecodeAnchors(AsBytes(anchors));
  if (!table) return FailWith(table.error().reason, {"ROM: ", paths.anchors, ": ", table.error().detail.view()});
  auto decoded = DecodeRomIdentity(AsBytes(identity));
  if (!decoded) return FailWith(decoded.error().reason, {"ROM: ", paths.identity, ": ", decoded.error().detail.view()});
  rom.anchors = *table;
  rom.identity = *decoded;
  return rom;
}

}  // namespace pawl
