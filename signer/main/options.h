// pawl-signer's options: flags over environment over file over defaults.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "trust/sign/service.h"

namespace pawl::sign {

struct Options {
  bool status_only = false;
  std::string socket;
  std::vector<uid_t> allowed_users;
  ServiceSettings service;
};

// Either the options, or the exit status of a run that ends here (--help, --version, wrong usage: already told).
struct ParsedOptions {
  std::optional<Options> options;
  int exit_status = 0;
};
// Errors: invalid argument, malformed, not found: about the configuration file.
Result<ParsedOptions> ParseOptions(int argc, char** argv);

}  // namespace pawl::sign
