// Devices as requests select them: in a query and in a campaign's targets.
#pragma once

#include <boost/json/object.hpp>
#include <vector>

#include "platform/io/data/devices.h"
#include "platform/io/http/members.h"

namespace pawl::http {

// A JSON object of attributes. Errors: invalid argument.
Result<std::vector<wire::Attribute>> ParseAttributes(const boost::json::object* object, std::string_view name);
// {"reason": text}. Errors: invalid argument.
Result<std::string> ParseReason(const boost::json::object& body);

}  // namespace pawl::http
