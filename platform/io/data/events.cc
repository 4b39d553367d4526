#include "platform/io/data/events.h"

#include <algorithm>

namespace pawl::data {
namespace {

struct KindRow {
  EventKind kind;
  std::string_view text;
  Severity severity;
};
constexpr KindRow kKinds[] = {
#define PAWL_EVENT(name, text, severity) {EventKind::name, text, Severity::severity},
#include "platform/io/data/event_kinds.def"
#undef PAWL_EVENT
};
constexpr std::string_view kSeverities[] = {"info", "warning", "alert"};

Event ToEvent(const sql::Row& row) {
  Event event;
  event.id = row.Int(0);
  event.at_ms = row.Int(1);
  event.kind = ParseEventKind(row.Text(2)).value_or(EventKind{});
  event.severity = SeverityOf(event.kind);
  event.device = row.String(3);
  event.campaign = row.String(4);
  event.job = row.String(5);
  event.actor = row.String(6);
  event.text = row.String(7);
  event.data = row.String(8);
  return event;
}

}  // namespace

std::string_view Text(Severity severity) { return kSeverities[static_cast<std::size_t>(severity)]; }
std::string_view Text(EventKind kind) { return kKinds[static_cast<std::size_t>(kind)].text; }
Severity SeverityOf(EventKind kind) { return kKinds[static_cast<std::size_t>(kind)].severity; }

std::optional<EventKind> ParseEventKind(std::string_view text) {
  const auto* found = std::ranges::find(kKinds, text, &KindRow::text);
  if (found == std::end(kKinds)) return std::nullopt;
  return found->kind;
}

std::vector<EventKind> AllEventKinds() {
  std::vector<EventKind> kinds;
  for (const KindRow& row : kKinds) kinds.push_back(row.kind);
  return kinds;
}

Result<std::int64_t> Emit(sql::Tx& tx, const NewEvent& event) {
  PAWL_ASSIGN(const auto id, tx.One("INSERT INTO events (at_ms, kind, device, campaign, job, actor, text, data) "
                                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                                    {tx.now_ms(), Text(event.kind), event.device, event.campaign, event.job,
                                     event.actor, event.text, event.data},
                                    [](const sql::Row& row) { return row.Int(0); }));
  return id.value_or(0);
}

Result<std::vector<Event>> ListEvents(sql::Tx& tx, const EventFilter& filter) {
  std::string sql = "SELECT id, at_ms, kind, device, campaign, job, actor, text, data FROM events WHERE id > ?";
  std::vector<sql::Arg> args = {filter.after};
  if (!filter.device.empty()) {
    sql += " AND device = ?";
    args.emplace_back(filter.device);
  }
  if (!filter.campaign.empty()) {
    sql += " AND campaign = ?";
    args.emplace_back(filter.campaign);
  }
  if (filter.kind) {
    sql += " AND kind = ?";
    args.emplace_back(Text(*filter.kind));
  }
  sql += filter.newest ? " ORDER BY id DESC LIMIT ?" : " ORDER BY id LIMIT ?";
  args.emplace_back(std::clamp<std::size_t>(filter.limit, 1, kMaxPage));
  PAWL_ASSIGN(auto events, tx.All(sql, args, ToEvent));
  if (filter.newest) std::ranges::reverse(events);
  return events;
}

Result<std::int64_t> LastEventId(sql::Tx& tx) {
  PAWL_ASSIGN(const auto id,
              tx.One("SELECT COALESCE(MAX(id), 0) FROM events", {}, [](const sql::Row& row) { return row.Int(0); }));
  return id.value_or(0);
}

}  // namespace pawl::data
