// Errors as HTTP answers: one table from reasons to statuses.
#pragma once

#include "base/result.h"
#include "platform/io/http/message.h"

namespace pawl::http {

unsigned StatusOf(Reason reason);
inline Error ErrorOf(Reason reason, std::string_view detail) { return {reason, detail}; }

// {"error": {"code", "reason", "message", "remedy", "devices"}}. An empty remedy: the reason's own.
// `devices`: those of them that the message names are listed.
Response ErrorResponse(const Error& error, std::string_view remedy = {}, const std::vector<std::string>& devices = {});
// The same with a status of HTTP's own (405, 431, ...).
Response ErrorResponse(unsigned status, const Error& error, std::string_view remedy = {},
                       const std::vector<std::string>& devices = {});

}  // namespace pawl::http
