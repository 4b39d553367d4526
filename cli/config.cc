#include "cli/config.h"

#include <sys/stat.h>
#include <toml++/toml.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "cli/private_file.h"

namespace pawl::cli {
namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string Absolute(const std::string& path) {
  return path.empty() ? path : std::filesystem::absolute(path).lexically_normal().string();
}

const std::string& FirstOf(const std::string& a, const std::string& b, const std::string& c) {
  return !a.empty() ? a : !b.empty() ? b : c;
}

Outcome<Profile> ParseProfile(const std::filesystem::path& path, std::string_view text) {
  try {
    const toml::table table = toml::parse(text, path.string());
    const auto value = [&](const char* name) { return table[name].value_or(std::string()); };
    return Profile{value("url"), value("ca"), value("token")};
  } catch (const toml::parse_error& error) {
    const std::string line = std::to_string(error.source().begin.line);
    return Fail(Exit::kUsage, path.string() + " line " + line + ": " + std::string(error.description()),
                "write it anew: pawl login");
  }
}

Outcome<std::string> ResolveToken(const ProfileFlags& flags, const Profile& stored) {
  if (!flags.token_file.empty()) {
    CLI_ASSIGN(const std::string text, ReadSmallFile(flags.token_file));
    return PlainToken(text);
  }
  const std::string environment = Environment("PAWL_TOKEN");
  if (!environment.empty()) return PlainToken(environment);
  return stored.token;
}

}  // namespace

Outcome<std::filesystem::path> ProfilePath() {
  if (const std::string named = Environment("PAWL_CONFIG"); !named.empty()) return std::filesystem::path(named);
  if (const std::string base = Environment("XDG_CONFIG_HOME"); !base.empty())
    return std::filesystem::path(base) / "pawl/config.toml";
  const std::string home = Environment("HOME");
  if (home.empty()) return Fail(Exit::kUsage, "HOME is not set", "set PAWL_CONFIG to the file that holds the profile");
  return std::filesystem::path(home) / ".config/pawl/config.toml";
}

Outcome<std::optional<Profile>> LoadProfile(const std::filesystem::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<Profile>();
    return Fail(Exit::kUsage, "cannot read " + path.string() + ": " + std::strerror(errno), "check its permissions");
  }
  if ((status.st_mode & 077) != 0) {
    return Fail(Exit::kUsage, path.string() + " holds a token and others may read it", "chmod 600 " + path.string());
  }
  CLI_ASSIGN(const std::string text, ReadSmallFile(path));
  CLI_ASSIGN(Profile profile, ParseProfile(path, text));
  return std::optional<Profile>(std::move(profile));
}

Done SaveProfile(const std::filesystem::path& path, const Profile& profile) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::absolute(path).parent_path();
  if (!std::filesystem::exists(folder)) {
    std::filesystem::create_directories(folder, error);
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  }
  toml::table table{{"url", profile.url}, {"token", profile.token}};
  if (!profile.ca.empty()) table.insert("ca", profile.ca);
  std::ostringstream text;
  text << table << "\n";
  CLI_ASSIGN(PrivateFile file, PrivateFile::Create(path, true));
  CLI_TRY(file.Write(text.str()));
  return file.Commit();
}

Outcome<Profile> ResolveProfile(const ProfileFlags& flags) {
  CLI_ASSIGN(const std::filesystem::path path, ProfilePath());
  CLI_ASSIGN(const std::optional<Profile> loaded, LoadProfile(path));
  const Profile stored = loaded.value_or(Profile{});
  const std::string url = FirstOf(flags.url, Environment("PAWL_URL"), stored.url);
  if (url.empty())
    return Fail(Exit::kAuth, "not logged in: no platform is known",
                "pawl login --url https://127.0.0.1:8443 --ca FILE");
  Profile profile;
  CLI_ASSIGN(profile.url, PlainUrl(url));
  profile.ca = Absolute(FirstOf(flags.ca, Environment("PAWL_CA"), stored.ca));
  // The stored token is for the stored platform alone: another one must never see it.
  const bool stored_platform = profile.url == stored.url;
  CLI_ASSIGN(profile.token, ResolveToken(flags, stored_platform ? stored : Profile{}));
  return profile;
}

Outcome<std::string> PlainUrl(std::string_view url) {
  constexpr std::string_view kScheme = "https://";
  const auto wrong = [&](std::string_view why) {
    return Fail(Exit::kUsage, "the URL \"" + std::string(url) + "\" " + std::string(why),
                "give it as https://host:port");
  };
  if (!url.starts_with(kScheme)) return wrong("does not begin with https://");
  std::string_view host = url.substr(kScheme.size());
  while (host.ends_with('/')) host.remove_suffix(1);
  if (host.empty()) return wrong("has no host");
  if (host.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]") !=
      std::string_view::npos) {
    return wrong("is more than a host and a port");
  }
  return std::string(kScheme).append(host);
}

Outcome<std::string> PlainToken(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  if (text.empty())
    return Fail(Exit::kUsage, "the token is empty", "give the token's file with --token-file, or PAWL_TOKEN");
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  if (!text.starts_with("pawl_") || text.find_first_not_of(kAllowed) != std::string_view::npos) {
    return Fail(Exit::kUsage, "what was given as token is not one",
                "a token begins with pawl_ and is one line; see pawl token create");
  }
  return std::string(text);
}

}  // namespace pawl::cli
