// Where the platform is and who we are: flags override the environment, that overrides the profile of `pawl login`.
//
// Format   TOML, mode 0600: url, ca (path of the platform's ca.pem; absent: the system's CAs), token.
// Errors   a profile that others may read is refused: it holds a token.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "cli/outcome.h"

namespace pawl::cli {

struct Profile {
  std::string url;    // https://host[:port], no slash at the end
  std::string ca;     // absolute path; empty: the system's CAs
  std::string token;  // empty: none
};

// What the command line says; empty: nothing.
struct ProfileFlags {
  std::string url;
  std::string ca;
  std::string token_file;  // "-": standard input
};

// $PAWL_CONFIG, else $XDG_CONFIG_HOME/pawl/config.toml, else ~/.config/pawl/config.toml.
Outcome<std::filesystem::path> ProfilePath();
// Nothing: there is no profile. Failures: kUsage (malformed, or readable by others).
Outcome<std::optional<Profile>> LoadProfile(const std::filesystem::path& path);
Done SaveProfile(const std::filesystem::path& path, const Profile& profile);

// Flags, PAWL_URL, PAWL_CA and PAWL_TOKEN, profile, in this order. The token may be missing: some commands need none.
// Failures: kAuth (no platform is known), kUsage.
Outcome<Profile> ResolveProfile(const ProfileFlags& flags);

// https://host[:port] in its plain form. Failures: kUsage (another scheme, user info, path or query).
Outcome<std::string> PlainUrl(std::string_view url);
// The token in a file's text: one line. Failures: kUsage (empty, or characters that no token has).
Outcome<std::string> PlainToken(std::string_view text);

}  // namespace pawl::cli
