#include "cli/manual.h"

#include <functional>

#include "base/assert.h"

namespace pawl::cli {
namespace {

// Calls f(path, command) for the root (path "") and each command below it ("campaign create").
void Walk(const CommandHelp& command, const std::string& path,
          const std::function<void(const std::string&, const CommandHelp&)>& f) {
  f(path, command);
  for (const CommandHelp& child : command.commands) Walk(child, path.empty() ? child.name : path + " " + child.name, f);
}

// A text inside single quotes of a shell.
std::string Quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// Subcommands, options and choices that may follow a command's words.
std::string Words(const CommandHelp& root, const CommandHelp& command) {
  std::string words;
  for (const CommandHelp& child : command.commands) words += child.name + " ";
  for (const OptionHelp& option : command.options) {
    if (!option.positional) words += option.name + " ";
    if (option.positional) {
      for (const std::string& choice : option.choices) words += choice + " ";
    }
  }
  if (&root != &command) {
    for (const OptionHelp& option : root.options) words += option.name + " ";
  }
  if (!words.empty()) words.pop_back();
  return words;
}

// Bash, and zsh by its emulation of bash's completion. Options' values and files are left to the shell.
std::string BashScript(const CommandHelp& root) {
  std::string cases;
  Walk(root, "", [&](const std::string& path, const CommandHelp& command) {
    cases += "    " + Quoted(path) + ") words=" + Quoted(Words(root, command)) + " ;;\n";
  });
  std::string commands;
  Walk(root, "", [&](const std::string& path, const CommandHelp&) {
    if (!path.empty()) commands += (commands.empty() ? "" : "|") + Quoted(path);
  });
  return "_pawl() {\n"
         "  local path='' words='' word try i\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    word=\"${COMP_WORDS[i]}\"\n"
         "    try=\"${path:+$path }$word\"\n"
         "    case \"$try\" in " +
         commands +
         ") path=\"$try\" ;; esac\n"
         "  done\n"
         "  case \"$path\" in\n" +
         cases +
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
         "}\n"
         "complete -o bashdefault -o default -F _pawl pawl\n";
}

std::string FishScript(const CommandHelp& root) {
  std::string script =
      "function __pawl_path\n"
      "  string join ' ' (commandline -opc)[2..] | string match -rv '^-'\n"
      "end\n"
      "complete -c pawl -f\n";
  Walk(root, "", [&](const std::string& path, const CommandHelp& command) {
    const std::string condition =
        path.empty() ? "__fish_use_subcommand" : "string match -q -- " + Quoted(path + "*") + " (__pawl_path)";
    for (const CommandHelp& child : command.commands) {
      script +=
          "complete -c pawl -n " + Quoted(condition) + " -a " + Quoted(child.name) + " -d " + Quoted(child.help) + "\n";
    }
    for (const OptionHelp& option : command.options) {
      if (option.positional) continue;
      script += "complete -c pawl" + (path.empty() ? "" : " -n " + Quoted(condition)) + " -l " +
                Quoted(option.name.substr(2)) + (option.value.empty() ? "" : " -r -F") + " -d " + Quoted(option.help) +
                "\n";
    }
  });
  return script;
}

std::string Synopsis(const std::string& path, const CommandHelp& command) {
  std::string line = "pawl " + path;
  for (const OptionHelp& option : command.options) {
    const std::string word =
        option.positional ? option.name : option.name + (option.value.empty() ? "" : " " + option.value);
    line += option.required ? " " + word : " [" + word + "]";
  }
  return line;
}

std::string OptionRows(const CommandHelp& command) {
  if (command.options.empty()) return {};
  std::string rows = "| | |\n|---|---|\n";
  for (const OptionHelp& option : command.options) {
    rows += "| `" + option.name + (option.value.empty() || option.positional ? "" : " " + option.value) + "` | " +
            option.help + " |\n";
  }
  return rows + "\n";
}

}  // namespace

std::string CompletionScript(const CommandHelp& root, std::string_view shell) {
  PAWL_ASSERT(shell == "bash" || shell == "zsh" || shell == "fish");
  if (shell == "fish") return FishScript(root);
  const std::string bash = BashScript(root);
  return shell == "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" + bash : bash;
}

std::string Manual(const CommandHelp& root, std::string_view footer) {
  std::string text =
      "# pawl: the operator's command line\n\n<!-- Made by `pawl manual`; a test holds it against the program. "
      "-->\n\n" +
      root.help + "\n\n" + std::string(footer) + "\n## Options of every command\n\n" + OptionRows(root);
  Walk(root, "", [&](const std::string& path, const CommandHelp& command) {
    if (path.empty()) return;
    const bool group = !command.commands.empty();
    text += (group ? "## pawl " : "### pawl ") + path + "\n\n" + command.help + "\n\n";
    if (!group) text += "```\n" + Synopsis(path, command) + "\n```\n\n" + OptionRows(command);
  });
  while (text.ends_with("\n\n")) text.pop_back();
  return text;
}

}  // namespace pawl::cli
