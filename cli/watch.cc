// campaign watch: on a terminal a view that is drawn again and again, else a line for each event.
#include <algorithm>
#include <boost/json/object.hpp>

#include "cli/campaign.h"
#include "cli/show.h"
#include "cli/text.h"
#include "cli/wait.h"

namespace pawl::cli {

namespace json = boost::json;

namespace {

constexpr std::size_t kFewDevices = 12;  // at most so many get a line of their own
constexpr int kPaceMs = 100;             // between two looks, however many events come

// Lines that take the place of those drawn before.
class LiveView {
 public:
  explicit LiveView(const Terminal& terminal) : terminal_(terminal) {}

  Done Draw(const std::string& text) {
    if (text == shown_) return {};
    shown_ = text;
    std::string frame = lines_ > 0 ? "\x1b[" + std::to_string(lines_) + "A\r\x1b[J" : "";
    lines_ = static_cast<std::size_t>(std::ranges::count(text, '\n'));
    return PrintAll(frame + text);
  }

  const Terminal& terminal() const { return terminal_; }

 private:
  const Terminal& terminal_;
  std::string shown_;
  std::size_t lines_ = 0;
};

std::string JobLines(const Terminal& terminal, const Answer& jobs) {
  std::string text;
  for (const json::value& job : Items(At(jobs.value, "items"))) {
    const std::string state = Show(job, "state");
    // Cut to the terminal: a line that wraps could not be drawn over.
    const std::size_t room = terminal.columns > 40 ? terminal.columns - 40 : 20;
    text += "  " + Pad(Cut(Show(job, "device"), 22), 22) + " " + terminal.Paint(Pad(state, 12), ColourOfState(state)) +
            " " + Cut(JobText(job), room) + "\n";
  }
  return text;
}

class Watch {
 public:
  Watch(Session& session, const std::string& id)
      : session_(session),
        id_(id),
        live_(session.terminal.out_is_tty && !session.terminal.json),
        view_(session.terminal),
        wait_(session, "the campaign goes on", "pawl campaign watch " + id) {}

  // Until every job has ended; the campaign as it is then.
  Outcome<Answer> UntilEnded() {
    while (true) {
      CLI_ASSIGN(Answer campaign, wait_.Get(Path("campaigns", id_)));
      if (live_) CLI_TRY(Draw(campaign));
      const bool ended = CampaignCounts(campaign.value).ended();
      CLI_TRY(TakeEvents(ended ? 0 : 1));
      if (ended) return campaign;
      CLI_TRY(wait_.Pause(kPaceMs));
    }
  }

 private:
  Done Draw(const Answer& campaign) {
    std::string text = HeadText(view_.terminal(), campaign.value) + CountsText(view_.terminal(), campaign.value);
    if (CampaignCounts(campaign.value).total <= kFewDevices) {
      CLI_ASSIGN(const Answer jobs,
                 wait_.Get(Query(Path("campaigns", id_, "jobs")).Add("limit", 2 * kFewDevices).target()));
      text += JobLines(view_.terminal(), jobs);
    }
    return view_.Draw(text);
  }

  // The long poll is also what paces the view.
  Done TakeEvents(std::uint64_t wait_s) {
    Query query(Path("events"));
    query.Add("campaign", id_).Add("after", cursor_).Add("wait_s", wait_s).Add("limit", std::uint64_t{1000});
    CLI_ASSIGN(const Answer events, wait_.Get(query.target()));
    if (const std::string next = Raw(events.value, "next"); !next.empty()) cursor_ = next;
    if (live_ || session_.terminal.json) return {};
    std::string lines;
    for (const json::value& event : Items(At(events.value, "items"))) lines += EventLine(session_.terminal, event);
    return PrintAll(lines);
  }

  Session& session_;
  std::string id_;
  bool live_;
  LiveView view_;
  Wait wait_;
  std::string cursor_ = "0";
};

}  // namespace

Done WatchCampaign(Session& session, const std::string& id) {
  Watch watch(session, id);
  CLI_ASSIGN(const Answer campaign, watch.UntilEnded());
  const bool live = session.terminal.out_is_tty;
  CLI_TRY(Emit(session, campaign, [&] {
    return live ? std::string()
                : HeadText(session.terminal, campaign.value) + CountsText(session.terminal, campaign.value);
  }));
  const CampaignCounts counts(campaign.value);
  if (counts.failed() == 0) return {};
  return Fail(Exit::kFailed,
              std::to_string(counts.failed()) + " of " + std::to_string(counts.total) + " devices did not succeed",
              "pawl job list --campaign " + id + ", then pawl why DEVICE");
}

}  // namespace pawl::cli
