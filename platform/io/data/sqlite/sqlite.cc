#include "platform/io/data/sqlite/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>

namespace pawl::sql {
namespace {

constexpr int kBusyTimeoutMs = 10000;
constexpr std::size_t kMaxCachedStatements = 256;

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Handle = std::unique_ptr<sqlite3, CloseDatabase>;
using Prepared = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

Reason ReasonOf(int code) {
  switch (code & 0xFF) {
    case SQLITE_CONSTRAINT:
      return Reason::kConflict;
    case SQLITE_FULL:
      return Reason::kNoSpace;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Reason::kUnavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Reason::kCorrupt;
    default:
      return Reason::kStorage;
  }
}

class SqliteRow : public Row {
 public:
  explicit SqliteRow(sqlite3_stmt* statement) : statement_(statement) {}
  bool IsNull(int column) const override { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  std::int64_t Int(int column) const override { return sqlite3_column_int64(statement_, column); }
  std::string_view Text(int column) const override { return AsText(Bytes(column)); }
  ByteView Bytes(int column) const override {
    const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }

 private:
  sqlite3_stmt* statement_;
};

class SqliteConnection : public Connection {
 public:
  explicit SqliteConnection(Handle handle) : handle_(std::move(handle)) {}

  Result<std::int64_t> Run(std::string_view sql, std::span<const Arg> args, const EachRow& each) override {
    PAWL_ASSIGN(Prepared statement, Take(sql));
    auto result = Execute(statement.get(), args, each);
    sqlite3_reset(statement.get());
    sqlite3_clear_bindings(statement.get());
    if (cache_.size() >= kMaxCachedStatements) cache_.clear();
    cache_.insert_or_assign(std::string(sql), std::move(statement));
    return result;
  }

  std::int64_t TotalChanges() const override { return sqlite3_total_changes64(handle_.get()); }

 private:
  std::unexpected<Error> Failed(int code) const { return Fail(ReasonOf(code), sqlite3_errmsg(handle_.get())); }

  // Out of the cache while it runs, so that a row's callback may run the same text again.
  Result<Prepared> Take(std::string_view sql) {
    if (auto node = cache_.extract(std::string(sql))) return std::move(node.mapped());
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return Failed(code);
    return Prepared(statement);
  }

  Status Bind(sqlite3_stmt* statement, int index, const Arg::Value& value) {
    int code = SQLITE_OK;
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      code = sqlite3_bind_int64(statement, index, *number);
    } else if (const auto* text = std::get_if<std::string_view>(&value)) {
      const char* data = text->data() == nullptr ? "" : text->data();  // a null pointer would bind NULL
      code = sqlite3_bind_text64(statement, index, data, text->size(), SQLITE_STATIC, SQLITE_UTF8);
    } else if (const auto* bytes = std::get_if<ByteView>(&value)) {
      const void* data = bytes->empty() ? static_cast<const void*>("") : bytes->data();
      code = sqlite3_bind_blob64(statement, index, data, bytes->size(), SQLITE_STATIC);
    } else {
      code = sqlite3_bind_null(statement, index);
    }
    if (code != SQLITE_OK) return Failed(code);
    return {};
  }

  Result<std::int64_t> Execute(sqlite3_stmt* statement, std::span<const Arg> args, const EachRow& each) {
    int index = 0;
    for (const Arg& arg : args) PAWL_TRY(Bind(statement, ++index, arg.value()));
    const std::int64_t before = TotalChanges();
    int code = SQLITE_ROW;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
      if (each) PAWL_TRY(each(SqliteRow(statement)));
    }
    if (code != SQLITE_DONE) return Failed(code);
    return TotalChanges() - before;
  }

  Handle handle_;  // before the statements, which must go first
  std::map<std::string, Prepared> cache_;
};

// SQLite would create the file by the umask; its log files take the file's mode.
Status CreatePrivately(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Fail(Reason::kIo, "cannot open the database " + path + ": " + std::strerror(errno));
  ::close(fd);
  return {};
}

}  // namespace

Result<std::unique_ptr<Connection>> OpenSqlite(const std::string& path, Mode mode) {
  if (mode == Mode::kWriter) PAWL_TRY(CreatePrivately(path));
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  Handle handle(opened);
  if (code != SQLITE_OK) return Fail(ReasonOf(code), "cannot open the database " + path + ": " + sqlite3_errstr(code));
  sqlite3_extended_result_codes(opened, 1);
  sqlite3_busy_timeout(opened, kBusyTimeoutMs);
  auto connection = std::make_unique<SqliteConnection>(std::move(handle));
  for (const char* pragma : {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON"}) {
    PAWL_TRY(connection->Run(pragma, {}, {}));
  }
  if (mode == Mode::kReader) PAWL_TRY(connection->Run("PRAGMA query_only = ON", {}, {}));
  return connection;
}

}  // namespace pawl::sql
