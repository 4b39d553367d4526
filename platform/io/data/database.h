// The platform's database: one writer thread with group commit, a pool of readers.
//
// Every write runs under a SAVEPOINT of its own, so its failure rolls back itself alone; all writes that wait together
// share one COMMIT, and none is answered before that COMMIT is durable. No truth lives in process memory.
//
// Threads   Write, WriteAsync and Read may be called from any thread but the writer's (that is: not from within a
// write,
//           a `done` or a listener; WriteAsync alone may be).
// Errors    what the function returns; storage error if the COMMIT failed (then nothing of the group is stored);
//           unavailable when more than kMaxQueuedWrites wait, or after Close.
// Format    numbered migrations (migrations.h); a database of a newer pawl is refused: unsupported version.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include "platform/io/data/sql.h"

namespace pawl::data {

inline constexpr std::size_t kMaxQueuedWrites = 65536;
inline constexpr std::size_t kMaxWritesInGroup = 1000;
inline constexpr int kReaders = 4;

using Clock = std::function<std::int64_t()>;  // milliseconds since 1970, UTC
std::int64_t SystemClockMs();

class Database {
 public:
  // Opens or creates the file (mode 0600) and migrates it.
  static Result<std::unique_ptr<Database>> Open(const std::string& path, Clock clock = SystemClockMs);
  ~Database();  // Close()
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs `fn` (Result<T>(sql::Tx&)) in the writer thread; returns when it is durable.
  template <class Fn>
  auto Write(Fn fn) -> std::invoke_result_t<Fn, sql::Tx&> {
    std::optional<std::invoke_result_t<Fn, sql::Tx&>> result;
    const Status status = WriteAndWait([&](sql::Tx& tx) -> Status {
      result.emplace(fn(tx));
      if (!*result) return std::unexpected(result->error());
      return {};
    });
    if (!status) return std::unexpected(status.error());
    return std::move(*result);
  }

  // As Write, without waiting. `done` is called once: in the writer thread after the COMMIT, or at once in the caller's
  // when the queue is full. It must not block.
  void WriteAsync(std::function<Status(sql::Tx&)> fn, std::function<void(Status)> done);

  // Runs `fn` in the calling thread on one consistent snapshot.
  template <class Fn>
  auto Read(Fn fn) -> std::invoke_result_t<Fn, sql::Tx&> {
    std::optional<std::invoke_result_t<Fn, sql::Tx&>> result;
    const Status status = ReadAndWait([&](sql::Tx& tx) -> Status {
      result.emplace(fn(tx));
      return {};
    });
    if (!status) return std::unexpected(status.error());
    return std::move(*result);
  }

  // `listener` is called in the writer thread after each COMMIT that stored something: look into the tables for what is
  // new (events by id). It must not block. Register before the first write.
  void OnCommit(std::function<void()> listener);

  // True while the last COMMIT, if there was one, succeeded. For /readyz.
  bool Healthy() const;

  // Ends the queued writes, then refuses new ones.
  void Close();

 private:
  class Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  Status WriteAndWait(const std::function<Status(sql::Tx&)>& fn);
  Status ReadAndWait(const std::function<Status(sql::Tx&)>& fn);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::data
