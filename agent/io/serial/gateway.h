// The gateway's side of one child: waits for it, runs the agent for one boot of the child, begins anew with the next.
//
// A child that does not answer has no agent, so no connection: the platform sees it offline.
#pragma once

#include <memory>

#include "agent/io/config.h"
#include "agent/io/serial/child_link.h"

namespace pawl::agent {

// Until SIGTERM or SIGINT. Errors, none of which waiting would mend: conflict (another agent runs for this child; the
// ROM files are another child's), invalid argument, unsupported version, and those of Agent::Open.
Status RunGateway(const Config& config);

// Asks the child once, for `pawl-agent status`. Errors: conflict (the agent has the line), unavailable, timeout.
Result<serial::Facts> AskChild(const Config& config);

}  // namespace pawl::agent
