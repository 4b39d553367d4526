// The schema, as numbered migrations. A released one is never changed: the next one is added below it.
//
// tenant: in every row, `default` today. Ids are opaque and global. Times are milliseconds since 1970. 0 and 1: no and
// yes.
#include <string>

#include "platform/io/data/sqlite/sqlite.h"

namespace pawl::sql {
namespace {

using Statements = std::initializer_list<const char*>;

const Statements kMigrations[] = {
    {
        // 1
        "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
        "INSERT INTO counters (name, value) VALUES ('registry_generation', 1)",

        R"(CREATE TABLE tokens (
             id TEXT PRIMARY KEY, tenant TEXT NOT NULL DEFAULT 'default', name TEXT NOT NULL,
             scopes INTEGER NOT NULL, secret_hash BLOB NOT NULL,
             created_ms INTEGER NOT NULL, created_by TEXT NOT NULL, expires_ms INTEGER, revoked_ms INTEGER,
             last_used_ms INTEGER))",
        "CREATE UNIQUE INDEX tokens_names ON tokens (tenant, name) WHERE revoked_ms IS NULL",

        R"(CREATE TABLE classes (
             tenant TEXT NOT NULL DEFAULT 'default', name TEXT NOT NULL, vendor TEXT NOT NULL,
             vendor_id BLOB NOT NULL, class_id BLOB NOT NULL UNIQUE,
             slot_bytes INTEGER NOT NULL, watchdog_s INTEGER NOT NULL, max_trial_budget_s INTEGER NOT NULL,
             patience_s INTEGER NOT NULL, min_board_revision INTEGER NOT NULL, max_board_revision INTEGER NOT NULL,
             keys BLOB NOT NULL, anchors BLOB NOT NULL,
             last_sequence INTEGER NOT NULL DEFAULT 0, created_ms INTEGER NOT NULL,
             PRIMARY KEY (tenant, name)))",

        R"(CREATE TABLE artifacts (
             digest BLOB PRIMARY KEY, tenant TEXT NOT NULL DEFAULT 'default', bytes INTEGER NOT NULL,
             name TEXT NOT NULL, created_ms INTEGER NOT NULL, created_by TEXT NOT NULL))",

        R"(CREATE TABLE releases (
             id TEXT PRIMARY KEY, tenant TEXT NOT NULL DEFAULT 'default', class TEXT NOT NULL,
             artifact BLOB NOT NULL REFERENCES artifacts (digest),
             version TEXT NOT NULL, security_version INTEGER NOT NULL, min_board_revision INTEGER NOT NULL,
             trial_budget_s INTEGER NOT NULL, use_before_s INTEGER, sequence INTEGER NOT NULL,
             state TEXT NOT NULL, reason INTEGER NOT NULL DEFAULT 0, detail TEXT NOT NULL DEFAULT '',
             waiting TEXT NOT NULL DEFAULT '',
             manifest_digest BLOB, envelope BLOB, keys BLOB NOT NULL DEFAULT x'',
             created_ms INTEGER NOT NULL, created_by TEXT NOT NULL, published_ms INTEGER,
             UNIQUE (tenant, class, sequence), FOREIGN KEY (tenant, class) REFERENCES classes (tenant, name)))",
        "CREATE INDEX releases_to_sign ON releases (id) WHERE state = 'signing'",
        R"(CREATE TABLE approvals (
             release TEXT NOT NULL REFERENCES releases (id), actor TEXT NOT NULL,
             tenant TEXT NOT NULL DEFAULT 'default', artifact BLOB NOT NULL, at_ms INTEGER NOT NULL,
             PRIMARY KEY (release, actor)))",

        R"(CREATE TABLE devices (
             tenant TEXT NOT NULL DEFAULT 'default', id TEXT NOT NULL, class TEXT NOT NULL,
             state TEXT NOT NULL, state_reason TEXT NOT NULL DEFAULT '', board_revision INTEGER NOT NULL,
             operator_attributes TEXT NOT NULL, attributes TEXT NOT NULL, created_ms INTEGER NOT NULL,
             claim_hash BLOB, claim_expires_ms INTEGER, claim_spki BLOB,
             pin BLOB, certificate TEXT, certificate_expires_ms INTEGER,
             next_pin BLOB, next_certificate TEXT, next_certificate_expires_ms INTEGER,
             connected INTEGER NOT NULL DEFAULT 0, last_seen_ms INTEGER, session INTEGER NOT NULL DEFAULT 0,
             boots BLOB NOT NULL DEFAULT x'', nonces BLOB NOT NULL DEFAULT x'', highest_n INTEGER NOT NULL DEFAULT 0,
             told TEXT, told_vendor BLOB, told_class BLOB, agent TEXT NOT NULL DEFAULT '',
             floor INTEGER NOT NULL DEFAULT 0, slot_bytes INTEGER NOT NULL DEFAULT 0,
             watchdog_s INTEGER NOT NULL DEFAULT 0, encodings TEXT NOT NULL DEFAULT '[]',
             keys BLOB NOT NULL DEFAULT x'', told_attributes TEXT NOT NULL DEFAULT '{}',
             PRIMARY KEY (tenant, id), FOREIGN KEY (tenant, class) REFERENCES classes (tenant, name)))",
        R"(CREATE TABLE device_attributes (
             tenant TEXT NOT NULL DEFAULT 'default', device TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
             PRIMARY KEY (tenant, device, name), FOREIGN KEY (tenant, device) REFERENCES devices (tenant, id)))",
        "CREATE INDEX device_attributes_values ON device_attributes (tenant, name, value)",

        // lease_*, fence: which node drives the campaign, once there are several.
        R"(CREATE TABLE campaigns (
             id TEXT PRIMARY KEY, tenant TEXT NOT NULL DEFAULT 'default', name TEXT NOT NULL,
             release TEXT NOT NULL REFERENCES releases (id), state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
             targets TEXT NOT NULL, target_count INTEGER NOT NULL, job_life_s INTEGER NOT NULL,
             lease_holder TEXT NOT NULL DEFAULT '', lease_until_ms INTEGER NOT NULL DEFAULT 0,
             fence INTEGER NOT NULL DEFAULT 0, created_ms INTEGER NOT NULL, created_by TEXT NOT NULL))",

        // open: not terminal. newest: of its campaign and device. to_send: a connected device must hear of it.
        R"(CREATE TABLE jobs (
             id TEXT PRIMARY KEY, tenant TEXT NOT NULL DEFAULT 'default', device TEXT NOT NULL, n INTEGER NOT NULL,
             campaign TEXT NOT NULL REFERENCES campaigns (id), release TEXT NOT NULL REFERENCES releases (id),
             status TEXT NOT NULL, open INTEGER NOT NULL, newest INTEGER NOT NULL, to_send INTEGER NOT NULL,
             timed_out INTEGER NOT NULL DEFAULT 0, cancelling INTEGER NOT NULL DEFAULT 0,
             cancel_reason TEXT NOT NULL DEFAULT '', permitted INTEGER NOT NULL DEFAULT 0, permitted_ms INTEGER,
             trial_before INTEGER NOT NULL DEFAULT 0, trial INTEGER NOT NULL DEFAULT 0,
             reason INTEGER NOT NULL DEFAULT 0, detail TEXT NOT NULL DEFAULT '', steps TEXT NOT NULL DEFAULT '[]',
             waiting TEXT NOT NULL DEFAULT '', progress_bytes INTEGER NOT NULL DEFAULT 0, progress_ms INTEGER,
             offered_ms INTEGER, expires_ms INTEGER NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
             UNIQUE (tenant, device, n), FOREIGN KEY (tenant, device) REFERENCES devices (tenant, id)))",
        "CREATE UNIQUE INDEX jobs_one_open ON jobs (tenant, device) WHERE open = 1",
        "CREATE INDEX jobs_of_campaign ON jobs (campaign, newest, status)",
        "CREATE INDEX jobs_to_send ON jobs (id) WHERE to_send = 1",
        "CREATE INDEX jobs_unacknowledged ON jobs (offered_ms) WHERE status = 'offered' AND timed_out = 0",
        "CREATE INDEX jobs_expiring ON jobs (expires_ms) WHERE open = 1",

        R"(CREATE TABLE rollbacks (
             tenant TEXT NOT NULL DEFAULT 'default', device TEXT NOT NULL, job_n INTEGER NOT NULL,
             trial INTEGER NOT NULL, digest BLOB NOT NULL, reason INTEGER NOT NULL, detail TEXT NOT NULL,
             at_ms INTEGER NOT NULL, PRIMARY KEY (tenant, device, job_n, trial)))",

        R"(CREATE TABLE events (
             id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL DEFAULT 'default', at_ms INTEGER NOT NULL,
             kind TEXT NOT NULL, device TEXT NOT NULL, campaign TEXT NOT NULL, job TEXT NOT NULL, actor TEXT NOT NULL,
             text TEXT NOT NULL, data TEXT NOT NULL))",
        "CREATE INDEX events_of_device ON events (device, id)",
        "CREATE INDEX events_of_campaign ON events (campaign, id)",
        "CREATE INDEX events_of_kind ON events (kind, id)",

        R"(CREATE TABLE audit (
             id INTEGER PRIMARY KEY, tenant TEXT NOT NULL DEFAULT 'default', at_ms INTEGER NOT NULL,
             actor TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL, detail TEXT NOT NULL, hash BLOB NOT NULL))",
        R"(CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
             BEGIN SELECT RAISE(ABORT, 'the audit table is append-only'); END)",
        R"(CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
             BEGIN SELECT RAISE(ABORT, 'the audit table is append-only'); END)",
    },
    {
        // 2: the gateway that speaks for the device, as its last hello told; empty: it speaks for itself
        "ALTER TABLE devices ADD COLUMN via TEXT NOT NULL DEFAULT ''",
    },
};
constexpr std::int64_t kVersion = std::size(kMigrations);

Result<std::int64_t> VersionOf(Connection& connection) {
  std::int64_t version = 0;
  PAWL_TRY(connection.Run("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)", {}, {}));
  PAWL_TRY(connection.Run("SELECT COALESCE(MAX(version), 0) FROM schema_version", {}, [&](const Row& row) -> Status {
    version = row.Int(0);
    return {};
  }));
  return version;
}

Status Migrate(Connection& connection) {
  PAWL_ASSIGN(std::int64_t version, VersionOf(connection));
  if (version > kVersion) {
    return Fail(Reason::kUnsupportedVersion, "the database has schema " + std::to_string(version) +
                                                 ", this pawld knows up to " + std::to_string(kVersion) +
                                                 ": use a newer pawld");
  }
  for (; version < kVersion; ++version) {
    for (const char* statement : kMigrations[version]) PAWL_TRY(connection.Run(statement, {}, {}));
    const Arg now = version + 1;
    PAWL_TRY(connection.Run("INSERT INTO schema_version (version) VALUES (?)", {&now, 1}, {}));
  }
  return {};
}

}  // namespace

Status MigrateSqlite(Connection& connection) {
  PAWL_TRY(connection.Run("BEGIN IMMEDIATE", {}, {}));
  const Status status = Migrate(connection);
  const auto ended = connection.Run(status ? "COMMIT" : "ROLLBACK", {}, {});
  PAWL_TRY(status);
  PAWL_TRY(ended);
  return {};
}

}  // namespace pawl::sql
