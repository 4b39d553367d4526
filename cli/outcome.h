// Outcome<T>: a value, or a Failure that says what to print and how to end. The one channel of expected failures in
// pawl.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace pawl::cli {

// Exit statuses; docs/ops/cli.md and `pawl --help` state them.
enum class Exit : int {
  kOk = 0,
  kFailed = 1,  // the thing itself failed, e.g. a watched campaign did not succeed everywhere
  kUsage = 2,   // wrong arguments, or a value that the platform does not allow
  kNotFound = 3,
  kRefused = 4,       // refused: it exists already, or is in a state that does not allow this
  kAuth = 5,          // not logged in, or not allowed
  kUnreachable = 6,   // the platform, or a part of it, does not answer
  kTimeout = 7,       // --wait, watch: the time was over before the end
  kInterrupted = 130  // Ctrl-C
};

struct Failure {
  Exit exit = Exit::kFailed;
  std::string message;  // one line; may hold text from the platform: print it sanitised
  std::string remedy;   // what to do; may be empty
  std::string json{};   // the platform's own error answer, for --json; may be empty
};

template <class T>
struct [[nodiscard]] Outcome : std::expected<T, Failure> {
  using std::expected<T, Failure>::expected;
};
using Done = Outcome<void>;

inline std::unexpected<Failure> Fail(Exit exit, std::string message, std::string remedy = {}) {
  return std::unexpected<Failure>(Failure{exit, std::move(message), std::move(remedy)});
}

}  // namespace pawl::cli

// Returns the failure of an Outcome to the caller, or goes on.
#define CLI_TRY(expression)                                                             \
  do {                                                                                  \
    if (auto cli_outcome = (expression); !cli_outcome) [[unlikely]]                     \
      return ::std::unexpected<::pawl::cli::Failure>(::std::move(cli_outcome).error()); \
  } while (false)

#define CLI_CONCAT_(a, b) a##b
#define CLI_CONCAT(a, b) CLI_CONCAT_(a, b)
// CLI_ASSIGN(auto x, F()): x is F()'s value, or the failure is returned.
#define CLI_ASSIGN(declaration, expression) CLI_ASSIGN_(CLI_CONCAT(cli_outcome_, __LINE__), declaration, expression)
#define CLI_ASSIGN_(outcome, declaration, expression)                             \
  auto outcome = (expression);                                                    \
  if (!outcome) [[unlikely]]                                                      \
    return ::std::unexpected<::pawl::cli::Failure>(::std::move(outcome).error()); \
  declaration = *::std::move(outcome)
