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

// The Status of a brief build: one word, and so in a register, where std::expected goes through memory at each call.
class [[nodiscard]] BriefStatus {
 public:
  // What PAWL_TRY hands on: an error for every Result, the word as it is for another BriefStatus.
  struct Failure : std::unexpected<Error> {
    std::uint32_t word;
  };

  constexpr BriefStatus() = default;
  constexpr BriefStatus(const std::unexpected<Error>& failure)  // NOLINT(google-explicit-constructor)
      : word_(WordOf(failure.error().reason)) {}
  constexpr BriefStatus(const Failure& failure) : word_(failure.word) {}  // NOLINT(google-explicit-constructor)

  constexpr bool has_value() const { return word_ == 0; }
  constexpr explicit operator bool() const { return has_value(); }
  // Precondition: it failed.
  constexpr Error error() const { return {static_cast<Reason>(word_), {}}; }
  constexpr Failure failure() const { return {std::unexpected(error()), word_}; }

 private:
  // An error without a reason is one all the same.
  static constexpr std::uint32_t WordOf(Reason reason) {
    return reason == Reason::kNone ? 0x10000U : static_cast<std::uint32_t>(reason);
  }
  std::uint32_t word_ = 0;
};

using Status = std::conditional_t<kBrief, BriefStatus, Result<void>>;

inline std::unexpected<Error> Fail(Reason reason, std::string_view detail = {}) {
  return std::unexpected<Error>(Error{reason, detail});
}

// The error of a Result, to be returned as another one's.
template <class T>
std::unexpected<Error> FailureOf(Result<T>&& failed) {
  return std::unexpected<Error>(std::move(failed).error());
}
inline BriefStatus::Failure FailureOf(const BriefStatus& failed) { return failed.failure(); }

// Makes the error of a result whose value was being filled where it lies: a large one is never copied.
template <class T>
void FailInPlace(Result<T>& result, Error error) {
  static_assert(std::is_trivially_destructible_v<T>);
  std::construct_at(&result, std::unexpected<Error>(std::move(error)));  // declared by <expected>
}

}  // namespace pawl

// Returns the error of a Result to the caller, or goes on.
#define PAWL_TRY(expression)                                        \
  do {                                                              \
    if (auto pawl_result = (expression); !pawl_result) [[unlikely]] \
      return ::pawl::FailureOf(::std::move(pawl_result));           \
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
