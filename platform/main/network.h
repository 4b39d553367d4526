// What the configuration says about addresses and names.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "platform/main/config.h"

namespace pawl::platform {

// Says early and by name that a port is taken; the listener itself binds later. Errors: i/o error.
Status CheckPort(const Address& address, std::string_view setting);

bool IsIpAddress(const std::string& text);

// What the operator's names and listeners add to localhost and loopback in the server certificate.
std::set<std::string> FurtherNames(const Config& config);

// Host and port of "mqtts://host:port". Errors: invalid argument.
Result<std::pair<std::string, std::uint16_t>> ParseBroker(const std::string& url);

}  // namespace pawl::platform
