#include "platform/io/data/database.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <future>
#include <mutex>
#include <thread>

#include "base/assert.h"
#include "platform/io/data/sqlite/sqlite.h"

namespace pawl::data {
namespace {

using WriteFn = std::function<Status(sql::Tx&)>;
using Done = std::function<void(Status)>;

struct PendingWrite {
  WriteFn fn;
  Done done;
};

Status Run(sql::Connection& connection, std::string_view sql) {
  PAWL_TRY(connection.Run(sql, {}, {}));
  return {};
}

// A function of the caller may throw (memory, a library): that is its failure, not the writer's end.
Status Call(const WriteFn& fn, sql::Tx& tx) {
  try {
    return fn(tx);
  } catch (const std::exception& error) {
    return Fail(Reason::kStorage, error.what());
  }
}

}  // namespace

std::int64_t SystemClockMs() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

class Database::Impl {
 public:
  Impl(std::unique_ptr<sql::Connection> writer, std::vector<std::unique_ptr<sql::Connection>> readers, Clock clock)
      : writer_(std::move(writer)), idle_readers_(std::move(readers)), clock_(std::move(clock)) {
    thread_ = std::thread([this] { WriteLoop(); });
  }
  ~Impl() { Close(); }

  void Submit(WriteFn fn, Done done) {
    {
      const std::lock_guard lock(mutex_);
      if (!closed_ && queue_.size() < kMaxQueuedWrites) {
        queue_.push_back({std::move(fn), std::move(done)});
        wake_.notify_one();
        return;
      }
    }
    done(Fail(Reason::kUnavailable, "the database has too many writes waiting, or is closed"));
  }

  Status WriteAndWait(const WriteFn& fn) {
    PAWL_ASSERT(std::this_thread::get_id() != thread_.get_id());  // it would wait for itself
    std::promise<Status> promise;
    auto stored = promise.get_future();
    Submit([&fn](sql::Tx& tx) { return fn(tx); }, [&promise](Status status) { promise.set_value(std::move(status)); });
    return stored.get();
  }

  Status ReadAndWait(const WriteFn& fn) {
    std::unique_ptr<sql::Connection> reader = TakeReader();
    Status status = Run(*reader, "BEGIN");
    if (status) {
      sql::Tx tx(*reader, clock_());
      status = Call(fn, tx);
      const Status ended = Run(*reader, "COMMIT");
      if (status && !ended) status = ended;
    }
    GiveReader(std::move(reader));
    return status;
  }

  void OnCommit(std::function<void()> listener) {
    const std::lock_guard lock(mutex_);
    listeners_.push_back(std::move(listener));
  }

  bool Healthy() const { return healthy_; }

  void Close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      wake_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  void WriteLoop() {
    while (true) {
      std::vector<PendingWrite> group = TakeGroup();
      if (group.empty()) return;
      const std::int64_t before = writer_->TotalChanges();
      std::vector<Status> results = WriteGroup(group);
      for (std::size_t i = 0; i < group.size(); ++i) group[i].done(std::move(results[i]));
      if (healthy_ && writer_->TotalChanges() != before) Notify();
    }
  }

  // What waits now; empty: closed, and nothing waits.
  std::vector<PendingWrite> TakeGroup() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return closed_ || !queue_.empty(); });
    std::vector<PendingWrite> group;
    while (!queue_.empty() && group.size() < kMaxWritesInGroup) {
      group.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    return group;
  }

  std::vector<Status> WriteGroup(const std::vector<PendingWrite>& group) {
    std::vector<Status> results(group.size());
    const Status committed = WriteAll(group, results);
    healthy_ = committed.has_value();
    if (committed) return results;
    // Nothing of the group is stored, whatever its functions said. An error: SQLite rolled back by itself.
    static_cast<void>(Run(*writer_, "ROLLBACK"));
    for (Status& result : results) result = std::unexpected(committed.error());
    return results;
  }

  Status WriteAll(const std::vector<PendingWrite>& group, std::vector<Status>& results) {
    PAWL_TRY(Run(*writer_, "BEGIN IMMEDIATE"));
    for (std::size_t i = 0; i < group.size(); ++i) {
      PAWL_TRY(Run(*writer_, "SAVEPOINT one"));
      sql::Tx tx(*writer_, clock_());
      results[i] = Call(group[i].fn, tx);
      if (!results[i]) PAWL_TRY(Run(*writer_, "ROLLBACK TO one"));
      PAWL_TRY(Run(*writer_, "RELEASE one"));
    }
    return Run(*writer_, "COMMIT");
  }

  void Notify() {
    std::vector<std::function<void()>> listeners;
    {
      const std::lock_guard lock(mutex_);
      listeners = listeners_;
    }
    for (const auto& listener : listeners) listener();
  }

  std::unique_ptr<sql::Connection> TakeReader() {
    std::unique_lock lock(readers_mutex_);
    reader_idle_.wait(lock, [this] { return !idle_readers_.empty(); });
    auto reader = std::move(idle_readers_.back());
    idle_readers_.pop_back();
    return reader;
  }
  void GiveReader(std::unique_ptr<sql::Connection> reader) {
    const std::lock_guard lock(readers_mutex_);
    idle_readers_.push_back(std::move(reader));
    reader_idle_.notify_one();
  }

  std::unique_ptr<sql::Connection> writer_;  // the writer thread's
  std::mutex readers_mutex_;
  std::condition_variable reader_idle_;
  std::vector<std::unique_ptr<sql::Connection>> idle_readers_;
  Clock clock_;
  std::atomic<bool> healthy_ = true;

  std::mutex mutex_;  // of all below
  std::condition_variable wake_;
  std::deque<PendingWrite> queue_;
  std::vector<std::function<void()>> listeners_;
  bool closed_ = false;
  std::thread thread_;
};

Result<std::unique_ptr<Database>> Database::Open(const std::string& path, Clock clock) {
  PAWL_ASSIGN(auto writer, sql::OpenSqlite(path, sql::Mode::kWriter));
  PAWL_TRY(sql::MigrateSqlite(*writer));
  std::vector<std::unique_ptr<sql::Connection>> readers;
  for (int i = 0; i < kReaders; ++i) {
    PAWL_ASSIGN(auto reader, sql::OpenSqlite(path, sql::Mode::kReader));
    readers.push_back(std::move(reader));
  }
  auto impl = std::make_unique<Impl>(std::move(writer), std::move(readers), std::move(clock));
  return std::unique_ptr<Database>(new Database(std::move(impl)));
}

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::~Database() = default;

void Database::WriteAsync(std::function<Status(sql::Tx&)> fn, std::function<void(Status)> done) {
  impl_->Submit(std::move(fn), std::move(done));
}
void Database::OnCommit(std::function<void()> listener) { impl_->OnCommit(std::move(listener)); }
bool Database::Healthy() const { return impl_->Healthy(); }
void Database::Close() { impl_->Close(); }
Status Database::WriteAndWait(const std::function<Status(sql::Tx&)>& fn) { return impl_->WriteAndWait(fn); }
Status Database::ReadAndWait(const std::function<Status(sql::Tx&)>& fn) { return impl_->ReadAndWait(fn); }

}  // namespace pawl::data
