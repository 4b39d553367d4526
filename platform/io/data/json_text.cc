#include "platform/io/data/json_text.h"

#include <boost/json.hpp>

namespace pawl::data {
namespace {

namespace json = boost::json;

json::value Parse(std::string_view text) {
  json::error_code failed;
  json::value value = json::parse(text, failed);
  return failed ? json::value(nullptr) : value;
}

json::value ToJson(const JsonValue& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) return json::string(*text);
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return *number;
  return std::get<bool>(value);
}

std::string TextOf(const json::value& value) { return value.is_string() ? std::string(value.get_string()) : ""; }

json::object ToObject(const std::vector<wire::Attribute>& attributes) {
  json::object object;
  for (const wire::Attribute& attribute : attributes) object[attribute.name] = attribute.value;
  return object;
}

}  // namespace

std::string JsonObject(std::initializer_list<std::pair<std::string_view, JsonValue>> members) {
  json::object object;
  for (const auto& [name, value] : members) object[name] = ToJson(value);
  return json::serialize(object);
}

std::string EncodeTexts(const std::vector<std::string>& texts) {
  json::array list;
  for (const std::string& text : texts) list.emplace_back(text);
  return json::serialize(list);
}

std::vector<std::string> DecodeTexts(std::string_view text) {
  std::vector<std::string> texts;
  const json::value value = Parse(text);
  if (!value.is_array()) return texts;
  for (const json::value& item : value.get_array()) texts.push_back(TextOf(item));
  return texts;
}

std::string EncodeAttributes(const std::vector<wire::Attribute>& attributes) {
  return json::serialize(ToObject(attributes));
}

std::string EncodeFilter(const DeviceFilter& filter) {
  json::object object;
  if (filter.state) object["state"] = json::string(Text(*filter.state));
  if (!filter.class_name.empty()) object["class"] = filter.class_name;
  if (!filter.attributes.empty()) object["attributes"] = ToObject(filter.attributes);
  if (!filter.id_glob.empty()) object["id_glob"] = filter.id_glob;
  if (!filter.via.empty()) object["via"] = filter.via;
  return json::serialize(object);
}

std::vector<wire::Attribute> DecodeAttributes(std::string_view text) {
  std::vector<wire::Attribute> attributes;
  const json::value value = Parse(text);
  if (!value.is_object()) return attributes;
  for (const auto& member : value.get_object()) {
    attributes.push_back({std::string(member.key()), TextOf(member.value())});
  }
  return attributes;
}

std::string EncodeSteps(const std::vector<wire::Step>& steps) {
  json::array list;
  for (const wire::Step& step : steps) list.push_back({json::string(Text(step.phase)), step.at});
  return json::serialize(list);
}

std::vector<wire::Step> DecodeSteps(std::string_view text) {
  std::vector<wire::Step> steps;
  const json::value value = Parse(text);
  if (!value.is_array()) return steps;
  for (const json::value& item : value.get_array()) {
    if (!item.is_array() || item.get_array().size() != 2 || !item.at(1).is_int64()) continue;
    const auto phase = wire::ParsePhase(TextOf(item.at(0)));
    if (phase) steps.push_back({*phase, static_cast<std::uint64_t>(item.at(1).get_int64())});
  }
  return steps;
}

}  // namespace pawl::data
