// The port for SQL databases: one connection, one transaction. Behind it SQLite today (sqlite/), PostgreSQL later: so
// plain SQL with ? parameters, no dialect.
//
// Lifetime  an Arg is a view: it lives for the call. A Row and what it gives live until the callback returns.
// Threads   one transaction, one thread.
// Errors    storage error (with the database's words), no space, unavailable (busy), conflict (a UNIQUE or CHECK
//           constraint, which is how a race between two writers shows itself).
#pragma once

#include <concepts>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace pawl::sql {

// One parameter: null, integer, text or bytes. Unsigned values must be < 2^63 (all of ours are < 2^53, or 32 bit).
class Arg {
 public:
  Arg(std::nullopt_t) {}  // NOLINT
  template <class T>
    requires std::integral<T>
  Arg(T value) : value_(static_cast<std::int64_t>(value)) {}                // NOLINT
  Arg(std::string_view text) : value_(text) {}                              // NOLINT
  Arg(const char* text) : value_(std::string_view(text)) {}                 // NOLINT
  Arg(const std::string& text) : value_(std::string_view(text)) {}          // NOLINT
  Arg(ByteView bytes) : value_(bytes) {}                                    // NOLINT
  Arg(const std::vector<std::uint8_t>& bytes) : value_(ByteView(bytes)) {}  // NOLINT
  template <std::size_t N>
  Arg(const std::array<std::uint8_t, N>& bytes) : value_(ByteView(bytes)) {}  // NOLINT
  template <class T>
  Arg(const std::optional<T>& value) {  // NOLINT
    if (value) value_ = Arg(*value).value_;
  }
  using Value = std::variant<std::monostate, std::int64_t, std::string_view, ByteView>;
  const Value& value() const { return value_; }

 private:
  Value value_;
};
using Args = std::initializer_list<Arg>;

// The current row of a query. Columns count from 0. A column of another type gives 0 or empty.
class Row {
 public:
  virtual ~Row() = default;
  virtual bool IsNull(int column) const = 0;
  virtual std::int64_t Int(int column) const = 0;
  virtual std::string_view Text(int column) const = 0;
  virtual ByteView Bytes(int column) const = 0;

  std::string String(int column) const { return std::string(Text(column)); }
  bool Bool(int column) const { return Int(column) != 0; }
  std::uint64_t U64(int column) const { return static_cast<std::uint64_t>(Int(column)); }
  std::uint32_t U32(int column) const { return static_cast<std::uint32_t>(Int(column)); }
  std::optional<std::int64_t> MaybeInt(int column) const {
    return IsNull(column) ? std::nullopt : std::optional(Int(column));
  }
  std::vector<std::uint8_t> Blob(int column) const {
    const ByteView bytes = Bytes(column);
    return {bytes.begin(), bytes.end()};
  }
  // Zeros if the column has another length (null: all zeros).
  template <std::size_t N>
  std::array<std::uint8_t, N> Fixed(int column) const {
    std::array<std::uint8_t, N> value{};
    const ByteView bytes = Bytes(column);
    if (bytes.size() == N) std::ranges::copy(bytes, value.begin());
    return value;
  }
};
using EachRow = std::function<Status(const Row&)>;

class Connection {
 public:
  virtual ~Connection() = default;
  // Runs one statement; `each` (may be empty) sees every row. Returns how many rows it changed.
  virtual Result<std::int64_t> Run(std::string_view sql, std::span<const Arg> args, const EachRow& each) = 0;
  // Rows changed since it was opened: tells whether a transaction stored anything.
  virtual std::int64_t TotalChanges() const = 0;
};

// A transaction that Database has begun. `now_ms` is its one time: milliseconds since 1970, UTC.
class Tx {
 public:
  Tx(Connection& connection, std::int64_t now_ms) : connection_(connection), now_ms_(now_ms) {}
  Tx(const Tx&) = delete;
  Tx& operator=(const Tx&) = delete;

  std::int64_t now_ms() const { return now_ms_; }

  // Returns how many rows changed.
  Result<std::int64_t> Execute(std::string_view sql, std::span<const Arg> args) {
    return connection_.Run(sql, args, {});
  }
  Result<std::int64_t> Execute(std::string_view sql, Args args = {}) { return Execute(sql, AsSpan(args)); }

  Status Query(std::string_view sql, std::span<const Arg> args, const EachRow& each) {
    PAWL_TRY(connection_.Run(sql, args, each));
    return {};
  }
  Status Query(std::string_view sql, Args args, const EachRow& each) { return Query(sql, AsSpan(args), each); }

  // Every row through `map`; bound the number of rows by LIMIT.
  template <class Map, class T = std::invoke_result_t<Map, const Row&>>
  Result<std::vector<T>> All(std::string_view sql, std::span<const Arg> args, Map map) {
    std::vector<T> items;
    PAWL_TRY(Query(sql, args, [&](const Row& row) -> Status {
      items.push_back(map(row));
      return {};
    }));
    return items;
  }
  template <class Map, class T = std::invoke_result_t<Map, const Row&>>
  Result<std::vector<T>> All(std::string_view sql, Args args, Map map) {
    return All(sql, AsSpan(args), std::move(map));
  }

  // The first row through `map`, or nothing.
  template <class Map, class T = std::invoke_result_t<Map, const Row&>>
  Result<std::optional<T>> One(std::string_view sql, Args args, Map map) {
    std::optional<T> item;
    PAWL_TRY(Query(sql, args, [&](const Row& row) -> Status {
      if (!item) item = map(row);
      return {};
    }));
    return item;
  }

 private:
  static std::span<const Arg> AsSpan(Args args) { return {args.begin(), args.size()}; }

  Connection& connection_;
  std::int64_t now_ms_;
};

}  // namespace pawl::sql
