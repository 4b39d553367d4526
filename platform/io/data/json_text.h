// Small JSON texts in columns: events' data, audit details, lists. Internal to the data layer.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "platform/io/data/devices.h"
#include "wire/messages.h"

namespace pawl::data {

using JsonValue = std::variant<std::string_view, std::uint64_t, bool>;
std::string JsonObject(std::initializer_list<std::pair<std::string_view, JsonValue>> members);

// What Decode... cannot read is empty: these columns are written by the functions beside them alone.
std::string EncodeTexts(const std::vector<std::string>& texts);
std::vector<std::string> DecodeTexts(std::string_view json);
std::string EncodeAttributes(const std::vector<wire::Attribute>& attributes);
std::vector<wire::Attribute> DecodeAttributes(std::string_view json);
// {"class": "...", "attributes": {...}, "id_glob": "...", "via": "..."}, as the API shows it; what is not given is left
// out.
std::string EncodeFilter(const DeviceFilter& filter);
std::string EncodeSteps(const std::vector<wire::Step>& steps);
std::vector<wire::Step> DecodeSteps(std::string_view json);

}  // namespace pawl::data
