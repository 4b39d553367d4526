#include "cli/campaign.h"

#include <array>

#include "cli/progress.h"
#include "cli/show.h"
#include "cli/text.h"

namespace pawl::cli {
namespace {

constexpr std::size_t kBarColumns = 32;
constexpr std::array<std::string_view, 7> kOpen = {"queued",   "offered",   "accepted", "downloading",
                                                   "verified", "committed", "trial"};
constexpr std::array<std::string_view, 5> kEnded = {"succeeded", "rolled_back", "refused", "cancelled", "lost"};

std::string CountLine(const Terminal& terminal, std::string_view state, std::uint64_t count, std::uint64_t total) {
  return "  " + Pad(state, 12) + " " + terminal.Paint(Bar(count, total, kBarColumns), ColourOfState(state)) + " " +
         std::to_string(count) + "\n";
}

}  // namespace

CampaignCounts::CampaignCounts(const boost::json::value& campaign) {
  const boost::json::value& counts = At(campaign, "counts");
  for (const std::string_view state : kOpen) open += Number(counts, state);
  total = open;
  for (const std::string_view state : kEnded) total += Number(counts, state);
  succeeded = Number(counts, "succeeded");
}

std::string HeadText(const Terminal& terminal, const boost::json::value& campaign) {
  const CampaignCounts counts(campaign);
  const std::string state = Show(campaign, "state");
  std::string text = terminal.Paint(Show(campaign, "name"), Colour::kStrong) + ": " + Show(campaign, "version") + ", " +
                     terminal.Paint(state, ColourOfState(state)) + ", " + std::to_string(counts.total - counts.open) +
                     " of " + std::to_string(counts.total) + " ended";
  if (At(campaign, "reason").is_string()) text += " (" + Show(campaign, "reason") + ")";
  return text + "\n";
}

std::string CountsText(const Terminal& terminal, const boost::json::value& campaign) {
  const boost::json::value& counts = At(campaign, "counts");
  const std::uint64_t total = CampaignCounts(campaign).total;
  std::string text;
  const auto add = [&](std::string_view state) {
    if (const std::uint64_t count = Number(counts, state); count > 0) text += CountLine(terminal, state, count, total);
  };
  for (const std::string_view state : kOpen) add(state);
  for (const std::string_view state : kEnded) add(state);
  if (const std::uint64_t late = Number(counts, "timed_out"); late > 0) {
    text += "  " + terminal.Paint(std::to_string(late) + " of them timed out", Colour::kBad) + "\n";
  }
  return text;
}

}  // namespace pawl::cli
