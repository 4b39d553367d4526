// events, audit, reasons, health, version.
#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/version.h"
#include "cli/show.h"
#include "cli/sse.h"
#include "cli/text.h"

namespace pawl::cli {

namespace json = boost::json;

namespace {

constexpr int kStreamIdleS = 45;  // three heartbeats
constexpr int kMaxBackoffMs = 10000;
constexpr int kFirstBackoffMs = 500;

Query EventQuery(std::string target, const EventOptions& options) {
  Query query(std::move(target));
  query.Add("device", options.device).Add("campaign", options.campaign).Add("kind", options.kind);
  return query;
}

// Follows the stream through lost connections; each begins after the last event that was shown.
class Follower {
 public:
  Follower(Session& session, const EventOptions& options, std::string cursor)
      : session_(session),
        target_(EventQuery(Path("events", "stream"), options).target()),
        cursor_(std::move(cursor)) {}

  // Ends only with a failure.
  Done Run() {
    int backoff_ms = kFirstBackoffMs;
    while (true) {
      seen_ = false;
      CLI_TRY(OneConnection());
      if (seen_) backoff_ms = kFirstBackoffMs;
      Pause(backoff_ms);
      if (Interrupted()) return Fail(Exit::kInterrupted, "interrupted");
      backoff_ms = std::min(2 * backoff_ms, kMaxBackoffMs);
    }
  }

 private:
  Done OneConnection() {
    SseParser parser;
    Done shown;
    HttpRequest request{.target = target_,
                        .headers = {"Accept: text/event-stream", "Last-Event-ID: " + cursor_},
                        .idle_s = kStreamIdleS};
    request.sink = [&](std::string_view bytes) {
      const Status parsed = parser.Feed(bytes, [&](const SseEvent& event) {
        if (shown) shown = Show(event);
      });
      if (!parsed) shown = Fail(Exit::kUnreachable, std::string(parsed.error().detail.view()), "update pawl or pawld");
      return shown.has_value();
    };
    const Outcome<HttpAnswer> answer = session_.api.Send(request);
    CLI_TRY(std::move(shown));
    if (!answer && answer.error().exit != Exit::kUnreachable) return std::unexpected(answer.error());
    if (!answer && !std::exchange(noted_, true))
      session_.terminal.Note("the stream of events is interrupted, connecting again");
    return {};
  }

  Done Show(const SseEvent& event) {
    seen_ = true;
    noted_ = false;
    boost::system::error_code error;
    const json::value value = json::parse(event.data, error);
    if (error) return Fail(Exit::kUnreachable, "an event of the stream is no JSON", "update pawl or pawld");
    if (!event.id.empty()) cursor_ = event.id;
    return PrintAll(session_.terminal.json ? SanitiseJson(event.data) + "\n" : EventLine(session_.terminal, value));
  }

  Session& session_;
  std::string target_;
  std::string cursor_;
  bool seen_ = false;
  bool noted_ = false;
};

std::string PartsText(const Terminal& terminal, const json::value& health) {
  Facts facts;
  facts.Add("platform", IsTrue(health, "ok") ? "ready" : "not ready",
            IsTrue(health, "ok") ? Colour::kGood : Colour::kBad);
  for (const char* name : {"database", "broker", "signer", "store"}) {
    const json::value& part = At(At(health, "parts"), name);
    facts.Add(name, Show(part, "text"), IsTrue(part, "ok") ? Colour::kGood : Colour::kBad);
  }
  return facts.Text(terminal);
}

}  // namespace

Done Events(Session& session, const EventOptions& options) {
  Query query = EventQuery(Path("events"), options);
  if (options.after) {
    query.Add("after", *options.after).Add("limit", std::uint64_t{1000});
  } else {
    query.Add("last", std::max<std::uint64_t>(options.last, 1));
  }
  CLI_ASSIGN(const Answer answer, session.api.Get(query.target()));
  const auto items = Items(At(answer.value, "items"));
  if (!options.follow) {
    if (items.empty()) session.terminal.Note("no events");
    return Emit(session, answer, [&] {
      std::string lines;
      for (const json::value& event : items) lines += EventLine(session.terminal, event);
      return lines;
    });
  }
  // With --json each line is one event, those from before as well.
  std::string lines;
  for (const json::value& event : items) {
    lines += session.terminal.json ? SanitiseJson(json::serialize(event)) + "\n" : EventLine(session.terminal, event);
  }
  CLI_TRY(PrintAll(lines));
  return Follower(session, options, Raw(answer.value, "next")).Run();
}

Done ListAudit(Session& session, std::size_t limit) {
  CLI_ASSIGN(const Answer answer, session.api.List(Query(Path("audit")), limit));
  const auto row = [&](const json::value& entry) -> std::vector<Cell> {
    return {{Show(entry, "id")},     {When(session.terminal, At(entry, "at"))},
            {Show(entry, "actor")},  {Show(entry, "action")},
            {Show(entry, "target")}, {Show(entry, "text")}};
  };
  return EmitList(session, answer, {{"ROW", true}, {"WHEN"}, {"WHO"}, {"DID"}, {"TO"}, {"MORE"}}, row,
                  "the audit log is empty");
}

Done VerifyAudit(Session& session) {
  CLI_ASSIGN(const Answer answer, session.api.Get(Path("audit", "verify")));
  CLI_TRY(Emit(session, answer,
               [&] { return Show(answer.value, "text") + "\nhead " + Show(answer.value, "head") + "\n"; }));
  if (IsTrue(answer.value, "ok")) return {};
  return Fail(Exit::kFailed, "the audit log was altered, from row " + Show(answer.value, "broken_at") + " on",
              "compare with a backup");
}

Done ListReasons(Session& session) {
  CLI_ASSIGN(const Answer answer, session.api.Get(Path("reasons")));
  const auto row = [](const json::value& reason) -> std::vector<Cell> {
    return {{Show(reason, "code")}, {Show(reason, "text")}, {Show(reason, "meaning") + " " + Show(reason, "remedy")}};
  };
  return EmitList(session, answer, {{"CODE", true}, {"REASON"}, {"MEANING, AND WHAT TO DO"}}, row, "no reasons");
}

Done Health(Session& session) {
  CLI_ASSIGN(HttpAnswer health, session.api.Ask({.target = "/readyz"}));
  if (health.status != 200 && health.status != 503) return std::unexpected(RefusalOf(health, session.api.peer().url));
  CLI_ASSIGN(const Answer answer, ParseAnswer(std::move(health), session.api.peer().url));
  CLI_TRY(Emit(session, answer, [&] { return PartsText(session.terminal, answer.value); }));
  if (answer.status == 200) return {};
  return Fail(Exit::kUnreachable, "the platform is not ready", "see the log of pawld");
}

Done ShowVersion(Session& session) {
  if (!session.terminal.json) CLI_TRY(PrintAll("pawl " + std::string(kVersion) + "\n"));
  CLI_ASSIGN(const Answer answer, session.api.Get(Path("version")));
  return Emit(session, answer, [&] {
    return "pawld " + Show(answer.value, "version") + " at " + session.api.peer().url + ", API " +
           Show(answer.value, "api") + ", device protocol " + Show(answer.value, "protocol") + "\n";
  });
}

}  // namespace pawl::cli
