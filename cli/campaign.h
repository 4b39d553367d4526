// A campaign's counts, and its bars: one per state.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <string>

#include "cli/terminal.h"

namespace pawl::cli {

struct CampaignCounts {
  explicit CampaignCounts(const boost::json::value& campaign);
  std::uint64_t total = 0;
  std::uint64_t open = 0;  // neither succeeded nor ended otherwise
  std::uint64_t succeeded = 0;
  std::uint64_t failed() const { return total - open - succeeded; }
  bool ended() const { return total > 0 && open == 0; }
};

// "spring update: 2.1.0, running, 3 of 5 ended"
std::string HeadText(const Terminal& terminal, const boost::json::value& campaign);
// One line with a bar for each state that a device is in.
std::string CountsText(const Terminal& terminal, const boost::json::value& campaign);

}  // namespace pawl::cli
