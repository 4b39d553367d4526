// The metrics of the running parts: what the database does not know.
#pragma once

#include <cstdint>
#include <vector>

#include "platform/io/channel/channel.h"
#include "platform/io/http/metrics.h"
#include "platform/io/http/server.h"

namespace pawl::platform {

struct Children {
  std::uint64_t broker_restarts = 0;
  std::uint64_t signer_restarts = 0;
  std::uint64_t signer_operations = 0;  // uses of private keys, by the signer's own log
};
std::vector<http::Sample> SamplesOf(const http::ServerCounters& http, const ChannelMetrics& channel,
                                    const Children& children);

}  // namespace pawl::platform
