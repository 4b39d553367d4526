// The forms of names, ids and times in the API, as api/openapi.yaml states them under schemas.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace pawl::http {

bool IsName(std::string_view text);        // 1 to 100 characters, no control characters
bool IsFileName(std::string_view text);    // the same, without '/'
bool IsReasonText(std::string_view text);  // at most 200 bytes, no control characters
bool IsId(std::string_view text);
bool IsLabel(std::string_view text);  // ids of devices, names of classes
bool IsIdGlob(std::string_view text);
bool IsDomain(std::string_view text);
bool IsAttributeName(std::string_view text);
bool IsAttributeValue(std::string_view text);

std::optional<Digest> ParseDigest(std::string_view text);
std::string UuidText(const Uuid& uuid);

// RFC 3339 in UTC. The fraction has milliseconds.
std::string TimeText(std::int64_t ms);
std::string TimeTextOfSeconds(std::uint64_t s);
std::optional<std::uint64_t> ParseTimeToSeconds(std::string_view text);

std::optional<std::uint64_t> ParseNumber(std::string_view text);  // decimal digits, at most 16

}  // namespace pawl::http
