// Events: what happened, for people and programs that follow along. Their ids are global and increase with the order of
// commits, so "everything after id x" never misses one.
#pragma once

#include "platform/io/data/common.h"

namespace pawl::data {

enum class Severity : std::uint8_t { kInfo, kWarning, kAlert };
std::string_view Text(Severity severity);  // "info", "warning", "alert"

enum class EventKind : std::uint8_t {
#define PAWL_EVENT(name, text, severity) name,
#include "platform/io/data/event_kinds.def"
#undef PAWL_EVENT
};
std::string_view Text(EventKind kind);  // "job.succeeded"
std::optional<EventKind> ParseEventKind(std::string_view text);
Severity SeverityOf(EventKind kind);
std::vector<EventKind> AllEventKinds();

struct NewEvent {
  EventKind kind;
  std::string_view text;  // one sentence for people
  std::string_view device = {};
  std::string_view campaign = {};
  std::string_view job = {};  // the job's opaque id
  std::string_view actor = {};
  std::string_view data = "{}";  // a JSON object
};
Result<std::int64_t> Emit(sql::Tx& tx, const NewEvent& event);

struct Event {
  std::int64_t id = 0;
  std::int64_t at_ms = 0;
  EventKind kind{};
  Severity severity{};
  std::string device, campaign, job, actor;  // empty: none
  std::string text;
  std::string data;  // a JSON object
};
struct EventFilter {
  std::int64_t after = 0;
  std::string device = {}, campaign = {};  // empty: any
  std::optional<EventKind> kind = {};
  std::size_t limit = 100;  // cut to kMaxPage
  bool newest = false;      // the last `limit` of them instead of the first; still oldest first
};
Result<std::vector<Event>> ListEvents(sql::Tx& tx, const EventFilter& filter);
Result<std::int64_t> LastEventId(sql::Tx& tx);

}  // namespace pawl::data
