#include "platform/io/data/statistics.h"

#include <algorithm>

#include "platform/io/data/devices.h"
#include "platform/io/data/jobs.h"

namespace pawl::data {
namespace {

using Counts = std::vector<std::pair<std::string, std::uint64_t>>;

Status Count(sql::Tx& tx, std::string_view sql, Counts& counts) {
  return tx.Query(sql, {}, [&](const sql::Row& row) -> Status {
    const auto found = std::ranges::find(counts, row.Text(0), &Counts::value_type::first);
    if (found != counts.end()) found->second = row.U64(1);
    return {};
  });
}

Result<std::uint64_t> One(sql::Tx& tx, std::string_view sql) {
  PAWL_ASSIGN(const auto count, tx.One(sql, {}, [](const sql::Row& row) { return row.U64(0); }));
  return count.value_or(0);
}

}  // namespace

Result<Statistics> CountAll(sql::Tx& tx) {
  Statistics statistics;
  for (const auto state : {DeviceState::kClaimed, DeviceState::kActive, DeviceState::kSuspended,
                           DeviceState::kQuarantined, DeviceState::kDecommissioned}) {
    statistics.devices.emplace_back(Text(state), 0);
  }
  for (std::size_t i = 0; i < platform::kJobStatuses; ++i) {
    statistics.jobs.emplace_back(platform::Text(static_cast<JobStatus>(i)), 0);
  }
  PAWL_TRY(Count(tx, "SELECT state, COUNT(*) FROM devices GROUP BY state", statistics.devices));
  PAWL_TRY(Count(tx, "SELECT status, COUNT(*) FROM jobs GROUP BY status", statistics.jobs));
  PAWL_ASSIGN(statistics.connected, One(tx, "SELECT COUNT(*) FROM devices WHERE connected = 1"));
  PAWL_ASSIGN(statistics.timed_out, One(tx, "SELECT COUNT(*) FROM jobs WHERE timed_out = 1"));
  PAWL_ASSIGN(statistics.permitted, One(tx, "SELECT COUNT(*) FROM jobs WHERE permitted = 1"));
  PAWL_ASSIGN(statistics.signing, One(tx, "SELECT COUNT(*) FROM releases WHERE state = 'signing'"));
  return statistics;
}

}  // namespace pawl::data
