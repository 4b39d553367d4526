// login, logout, whoami, token.
#include <termios.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdlib>
#include <iostream>

#include "cli/secret_output.h"
#include "cli/show.h"

namespace pawl::cli {

namespace json = boost::json;

namespace {

// Reads a line without showing it.
Outcome<std::string> AskSecret(const char* question) {
  termios before{};
  if (::isatty(STDIN_FILENO) != 1 || ::tcgetattr(STDIN_FILENO, &before) != 0) return ReadSmallFile("-");
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  // Silent before the question: what is typed after it is neither shown nor lost.
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  std::cerr << question << std::flush;
  Outcome<std::string> line = [] {
    std::string text(4096, '\0');
    const ssize_t got = ::read(STDIN_FILENO, text.data(), text.size());  // ended early by Ctrl-C
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }();
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
  std::cerr << "\n";
  if (Interrupted()) return Fail(Exit::kInterrupted, "interrupted");
  return line;
}

Outcome<std::string> TokenForLogin(const Profile& resolved, const ProfileFlags& flags) {
  const char* environment = std::getenv("PAWL_TOKEN");
  if (!flags.token_file.empty() || (environment != nullptr && *environment != '\0')) return resolved.token;
  CLI_ASSIGN(const std::string text,
             AskSecret("token (pawld keeps the first one in admin-token of its data directory): "));
  return PlainToken(text);
}

std::string TokenFacts(const Terminal& terminal, const json::value& token) {
  Facts facts;
  facts.Add("token", Show(token, "id"));
  facts.Add("name", Show(token, "name"));
  facts.Add("scopes", Join(At(token, "scopes")));
  facts.Add("created", When(terminal, At(token, "created")));
  facts.Add("expires", At(token, "expires").is_null() ? "never" : When(terminal, At(token, "expires")));
  return facts.Text(terminal);
}

}  // namespace

Done Login(const Terminal& terminal, const LoginOptions& options) {
  CLI_ASSIGN(const std::filesystem::path path, ProfilePath());
  CLI_ASSIGN(Profile profile, ResolveProfile(options.flags));
  CLI_ASSIGN(profile.token, TokenForLogin(profile, options.flags));
  Session session{Api({profile.url, profile.ca, profile.token, options.timeout_s}), terminal, {}};
  CLI_ASSIGN(const Answer answer, session.api.Get(Path("whoami")));
  CLI_TRY(SaveProfile(path, profile));
  return Emit(session, answer, [&] {
    return "logged in to " + profile.url + " as " + Show(answer.value, "name") + " (" +
           Join(At(answer.value, "scopes")) + "), kept in " + path.string() + "\n";
  });
}

Done Logout(const Terminal& terminal) {
  CLI_ASSIGN(const std::filesystem::path path, ProfilePath());
  std::error_code error;
  const bool removed = std::filesystem::remove(path, error);
  if (error)
    return Fail(Exit::kUsage, "cannot remove " + path.string() + ": " + error.message(),
                "remove it by hand: it holds a token");
  terminal.Note(removed ? "removed " + path.string() + "; the token itself goes on: see pawl token revoke"
                        : "not logged in");
  return {};
}

Done WhoAmI(Session& session) {
  CLI_ASSIGN(const Answer answer, session.api.Get(Path("whoami")));
  return Emit(session, answer, [&] {
    Facts facts;
    facts.Add("platform", session.api.peer().url);
    return facts.Text(session.terminal) + TokenFacts(session.terminal, answer.value);
  });
}

Done CreateToken(Session& session, const NewTokenOptions& options) {
  json::object body{{"name", options.name}, {"scopes", json::array(options.scopes.begin(), options.scopes.end())}};
  if (!options.expires_in.empty()) {
    const auto seconds = ParseDuration(options.expires_in);
    if (!seconds)
      return Fail(Exit::kUsage, "\"" + options.expires_in + "\" is no span of time", "for example: --expires-in 30d");
    body["expires_in_s"] = *seconds;
  }
  CLI_ASSIGN(SecretOutput out, SecretOutput::Open(options.out, options.name + ".token", false));
  CLI_ASSIGN(Answer answer, session.api.Post(Path("tokens"), body));
  CLI_TRY(out.Deliver(session, answer, "", TokenFacts(session.terminal, answer.value)));
  return {};
}

Done ListTokens(Session& session, std::size_t limit) {
  CLI_ASSIGN(const Answer answer, session.api.List(Query(Path("tokens")), limit));
  const auto row = [&](const json::value& token) -> std::vector<Cell> {
    return {{Show(token, "id")},
            {Show(token, "name")},
            {When(session.terminal, At(token, "created"))},
            {When(session.terminal, At(token, "expires"))},
            {When(session.terminal, At(token, "last_used"))},
            {Join(At(token, "scopes"))}};
  };
  return EmitList(session, answer, {{"TOKEN"}, {"NAME"}, {"CREATED"}, {"EXPIRES"}, {"LAST USED"}, {"SCOPES"}}, row,
                  "no tokens");
}

Done RevokeToken(Session& session, const std::string& id) {
  CLI_TRY(session.api.Delete(Path("tokens", id)));
  session.terminal.Note("revoked token " + Sanitise(id));
  return {};
}

}  // namespace pawl::cli
