// Result<T>: a value, or an Error that names a reason. The one channel of expected failures. Freestanding.
#pragma once

#include <expected>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/bounded.h"
#include "base/reason.h"

namespace pawl {

using ErrorDetail = std::conditional_t<kBrief, NoText, BoundedText<240>>;

struct Error {
  Reason reason = Reason::kNone;
  [[no_unique_address]] ErrorDetail detail;  // what exactly, and what to do; may be empty. Never a secret.
};

// std::expected is not [[nodiscard]] in libstdc++ 12: an alias would let callers drop errors.
template <class T>
struct [[nodiscard]] Result : std::expected<T, Error> {
  using std::expected<T, Error>::expected;
};

using Status = Result<void>;

inline std::unexpected<Error> Fail(Reason reason, std::string_view detail = {}) {
  return std::unexpected<Error>(Error{reason, detail});
}

}  // namespace pawl

// Returns the error of a Result to the caller, or goes on.
#define PAWL_TRY(expression)                                                     \
  do {                                                                           \
    if (auto pawl_result = (expression); !pawl_result) [[unlikely]]              \
      return ::std::unexpected<::pawl::Error>(::std::move(pawl_result).error()); \
  } while (false)

#define PAWL_CONCAT_(a, b) a##b
#define PAWL_CONCAT(a, b) PAWL_CONCAT_(a, b)

// PAWL_ASSIGN(auto x, F()): x is F()'s value, or the error is returned.
#define PAWL_ASSIGN(declaration, expression) PAWL_ASSIGN_(PAWL_CONCAT(pawl_result_, __LINE__), declaration, expression)
#define PAWL_ASSIGN_(result, declaration, expression)                     \
  auto result = (expression);                                             \
  if (!result) [[unlikely]]                                               \
    return ::std::unexpected<::pawl::Error>(::std::move(result).error()); \
  declaration = *::std::move(result)
