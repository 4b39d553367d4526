// The JSON encoding of the device protocol. Source: docs/spec/protocol.md.
//
// Limits  kMaxMessageBytes a message, depth 8, and the bounds of wire/messages.h.
// Errors  malformed, too large, unsupported version; the detail names the field. Unknown fields are ignored (a newer
//         peer's); a missing or ill-typed known one is an error.
#pragma once

#include <string>

#include "wire/messages.h"

namespace pawl::wire {

std::string Encode(const Up& message);
std::string Encode(const Down& message);
Result<Up> DecodeUp(std::string_view json);
Result<Down> DecodeDown(std::string_view json);

// A snapshot alone, as the platform's database keeps it.
std::string EncodeState(const State& state);
Result<State> DecodeState(std::string_view json);

}  // namespace pawl::wire
