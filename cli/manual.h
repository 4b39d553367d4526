// The command line as data, and what is made of it: completion scripts and the manual (docs/ops/cli.md). Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pawl::cli {

struct OptionHelp {
  std::string name;   // "--url", or a positional's "FILE"
  std::string value;  // "TEXT"; empty: a flag
  std::string help;
  std::vector<std::string> choices;
  bool positional = false;
  bool required = false;
};

struct CommandHelp {
  std::string name;  // of the last word: "create"
  std::string help;
  std::vector<OptionHelp> options;
  std::vector<CommandHelp> commands;
};

// shell: "bash", "zsh" or "fish". Precondition: one of these.
std::string CompletionScript(const CommandHelp& root, std::string_view shell);
// Markdown. `footer`: the text that `pawl --help` ends with.
std::string Manual(const CommandHelp& root, std::string_view footer);

}  // namespace pawl::cli
