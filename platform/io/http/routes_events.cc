// Events, as pages and as a stream; audit, reasons, version.
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "base/version.h"
#include "platform/io/http/operation.h"
#include "platform/io/http/rules.h"
#include "platform/io/http/shapes.h"

namespace pawl::http {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kMaxId = std::uint64_t{1} << 53;
constexpr std::uint64_t kMaxWaitS = 30;
constexpr std::size_t kStreamPage = 200;

Result<data::EventFilter> ParseFilter(const Request& request) {
  data::EventFilter filter;
  PAWL_ASSIGN(filter.device, QueryText(request, "device", IsLabel));
  PAWL_ASSIGN(filter.campaign, QueryText(request, "campaign", IsId));
  if (const auto kind = request.query_value("kind")) {
    filter.kind = data::ParseEventKind(*kind);
    if (!filter.kind)
      return Fail(Reason::kInvalidArgument, "kind is \"" + std::string(kind->substr(0, 40)) + "\": no kind of event");
  }
  return filter;
}

Response EventPage(const std::vector<data::Event>& events, std::int64_t after) {
  json::array items;
  for (const data::Event& event : events) items.push_back(Shape(event));
  const std::int64_t next = events.empty() ? after : events.back().id;
  return JsonResponse(PageShape(std::move(items), std::to_string(next)));
}

Result<Response> List(Call& call) {
  const Request& request = call.request;
  PAWL_ASSIGN(data::EventFilter filter, ParseFilter(request));
  PAWL_ASSIGN(const auto after, QueryNumber(request, "after", 0, kMaxId));
  PAWL_ASSIGN(const auto last, QueryNumber(request, "last", 1, data::kMaxPage));
  PAWL_ASSIGN(const auto limit, QueryNumber(request, "limit", 1, data::kMaxPage));
  PAWL_ASSIGN(const auto wait_s, QueryNumber(request, "wait_s", 0, kMaxWaitS));
  if (last && (after || wait_s)) return Fail(Reason::kInvalidArgument, "last excludes after and wait_s");
  filter.after = static_cast<std::int64_t>(after.value_or(0));
  filter.newest = last.has_value();
  filter.limit = static_cast<std::size_t>(last ? *last : limit.value_or(filter.limit));
  PAWL_ASSIGN(const auto events, call.api.database.Read([&](sql::Tx& tx) { return data::ListEvents(tx, filter); }));
  if (events.empty() && wait_s.value_or(0) > 0 && !request.last_call) {
    Response wait;
    wait.wait = std::chrono::seconds(*wait_s);
    return wait;
  }
  return EventPage(events, filter.after);
}

class EventStream : public EventSource {
 public:
  EventStream(Api& api, std::string authorization, data::EventFilter filter)
      : api_(api), authorization_(std::move(authorization)), filter_(std::move(filter)) {}

  Result<std::string> Next() override {
    PAWL_TRY(AuthenticateHeader(api_, authorization_));  // a revoked token ends the stream
    PAWL_ASSIGN(const auto events, api_.database.Read([&](sql::Tx& tx) { return data::ListEvents(tx, filter_); }));
    std::string text = std::exchange(greeting_, {});
    for (const data::Event& event : events) {
      text += "id: " + std::to_string(event.id) + "\nevent: " + std::string(Text(event.kind)) +
              "\ndata: " + json::serialize(Shape(event)) + "\n\n";
      filter_.after = event.id;
    }
    return text;
  }

 private:
  Api& api_;
  const std::string authorization_;
  data::EventFilter filter_;
  std::string greeting_ = ": pawl\n\n";
};

// After the header Last-Event-ID, else the parameter, else from now on.
Result<std::int64_t> StreamStart(Call& call) {
  const std::string_view header = call.request.header("last-event-id");
  if (!header.empty()) {
    const auto id = ParseNumber(header);
    if (!id || *id > kMaxId) return Fail(Reason::kInvalidArgument, "the header Last-Event-ID is not an event's id");
    return static_cast<std::int64_t>(*id);
  }
  PAWL_ASSIGN(const auto after, QueryNumber(call.request, "after", 0, kMaxId));
  if (after) return static_cast<std::int64_t>(*after);
  return call.api.database.Read([](sql::Tx& tx) { return data::LastEventId(tx); });
}

Result<Response> Stream(Call& call) {
  PAWL_ASSIGN(data::EventFilter filter, ParseFilter(call.request));
  PAWL_ASSIGN(filter.after, StreamStart(call));
  filter.limit = kStreamPage;
  Response response;
  response.set("Content-Type", "text/event-stream").set("Cache-Control", "no-store");
  response.events =
      std::make_shared<EventStream>(call.api, std::string(call.request.header("authorization")), std::move(filter));
  return response;
}

// --- Audit ---

// The hash of the row with this id, zeros for the row before the first.
Result<Digest> HashOf(sql::Tx& tx, std::int64_t id) {
  if (id <= 0) return Digest{};
  PAWL_ASSIGN(const auto rows, data::ListAudit(tx, id - 1, 1));
  return rows.empty() || rows.front().id != id ? Digest{} : rows.front().hash;
}

Result<Response> ListAudit(Call& call) {
  PAWL_ASSIGN(const auto page, PageOf(call.request));
  const auto cursor = ParseNumber(page.after);
  if (!page.after.empty() && !cursor)
    return Fail(Reason::kInvalidArgument, "after is not a cursor of an earlier answer");
  const auto after = static_cast<std::int64_t>(cursor.value_or(0));
  PAWL_ASSIGN(const json::object object, call.api.database.Read([&](sql::Tx& tx) -> Result<json::object> {
    PAWL_ASSIGN(Digest previous, HashOf(tx, after));
    PAWL_ASSIGN(auto rows, data::ListAudit(tx, after, page.limit + 1));
    const bool more = rows.size() > page.limit;
    if (more) rows.pop_back();
    json::array items;
    for (const data::AuditEntry& row : rows) {
      items.push_back(Shape(row, previous));
      previous = row.hash;
    }
    return PageShape(std::move(items), more ? std::optional(std::to_string(rows.back().id)) : std::nullopt);
  }));
  return JsonResponse(object);
}

Result<Response> VerifyAudit(Call& call) {
  PAWL_ASSIGN(const data::AuditVerdict verdict,
              call.api.database.Read([](sql::Tx& tx) { return data::VerifyAudit(tx); }));
  return JsonResponse(Shape(verdict));
}

// --- What there is to know of the platform ---

Result<Response> Reasons(Call&) {
  json::array items;
  for (const ReasonEntry& entry : AllReasons()) items.push_back(Shape(entry));
  return JsonResponse(PageShape(std::move(items), std::nullopt));
}

Result<Response> Version(Call&) {
  return JsonResponse({{"version", json::string_view(kVersion)}, {"api", 1}, {"protocol", wire::kProtocolVersion}});
}

}  // namespace

void AddEventOperations(Router& router, Api& api) {
  using data::Scope;
  AddOperation(router, api,
               {"GET",
                "/events",
                Scope::kRead,
                {"after", "last", "limit", "device", "campaign", "kind", "wait_s"},
                Takes::kNothing,
                List});
  AddOperation(
      router, api,
      {"GET", "/events/stream", Scope::kRead, {"after", "device", "campaign", "kind"}, Takes::kNothing, Stream});
  AddOperation(router, api, {"GET", "/audit", Scope::kAdmin, {"limit", "after"}, Takes::kNothing, ListAudit});
  AddOperation(router, api, {"GET", "/audit/verify", Scope::kAdmin, {}, Takes::kNothing, VerifyAudit});
  AddOperation(router, api, {"GET", "/reasons", {}, {}, Takes::kNothing, Reasons});
  AddOperation(router, api, {"GET", "/version", {}, {}, Takes::kNothing, Version});
}

}  // namespace pawl::http
