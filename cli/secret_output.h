// Where a secret of the platform's answer goes: a private file, opened before the request is made, so that no token
// is made that cannot be kept; or standard output, if the user says so with "-".
#pragma once

#include <optional>
#include <string>

#include "cli/commands.h"
#include "cli/private_file.h"

namespace pawl::cli {

class SecretOutput {
 public:
  // `out` empty: `default_name` in the working folder, characters that are odd in a file's name replaced.
  // Failures: kUsage (cannot be written), kRefused (exists, and `replace` is false).
  static Outcome<SecretOutput> Open(const std::string& out, const std::string& default_name, bool replace);

  // Takes the member `token` out of the answer's member `holder` ("": out of the answer itself), keeps it, and prints
  // the rest: as JSON, or `text` and where the secret is.
  Done Deliver(const Session& session, Answer answer, std::string_view holder, const std::string& text);

 private:
  explicit SecretOutput(std::optional<PrivateFile> file) : file_(std::move(file)) {}
  std::optional<PrivateFile> file_;  // nothing: standard output
};

}  // namespace pawl::cli
