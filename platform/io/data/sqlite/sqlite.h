// SQLite behind the SQL port: WAL, synchronous=FULL, foreign keys.
#pragma once

#include <memory>
#include <string>

#include "platform/io/data/sql.h"

namespace pawl::sql {

enum class Mode : std::uint8_t { kWriter, kReader };  // a reader's statements cannot write

// A writer creates the file, mode 0600.
// Errors: corrupt (no database), i/o error, storage error.
Result<std::unique_ptr<Connection>> OpenSqlite(const std::string& path, Mode mode);

// Brings the schema up to this program's version, all or nothing.
// Errors: unsupported version (a newer pawl wrote it), storage error.
Status MigrateSqlite(Connection& connection);

}  // namespace pawl::sql
