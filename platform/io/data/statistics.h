// Numbers for metrics: how many of what, now.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "platform/io/data/common.h"

namespace pawl::data {

struct Statistics {
  std::vector<std::pair<std::string, std::uint64_t>> devices;  // by state; every state, even with 0
  std::vector<std::pair<std::string, std::uint64_t>> jobs;     // by status; every status, even with 0
  std::uint64_t connected = 0;
  std::uint64_t timed_out = 0;
  std::uint64_t permitted = 0;  // started, for ever
  std::uint64_t signing = 0;    // releases
};
Result<Statistics> CountAll(sql::Tx& tx);

}  // namespace pawl::data
