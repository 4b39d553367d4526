#include "platform/io/http/filters.h"

#include <boost/json/value.hpp>

#include "platform/io/http/rules.h"

namespace pawl::http {

Result<std::vector<wire::Attribute>> ParseAttributes(const boost::json::object* object, std::string_view name) {
  std::vector<wire::Attribute> attributes;
  if (object == nullptr) return attributes;
  const std::string where(name);
  if (object->size() > wire::kMaxAttributes) return Fail(Reason::kInvalidArgument, where + " has more than 16 members");
  for (const auto& member : *object) {
    const std::string key(member.key());
    if (!IsAttributeName(key)) {
      return Fail(Reason::kInvalidArgument,
                  where + " has the name \"" + key.substr(0, 60) + "\": allowed is [a-z0-9][a-z0-9._-]{0,31}");
    }
    const auto* value = member.value().if_string();
    if (value == nullptr || !IsAttributeValue({value->data(), value->size()})) {
      return Fail(Reason::kInvalidArgument, where + "." + key + " is not a text of at most 64 characters");
    }
    attributes.push_back({key, std::string(value->data(), value->size())});
  }
  return attributes;
}

Result<std::string> ParseReason(const boost::json::object& body) {
  Members members(body);
  PAWL_ASSIGN(std::string reason, members.TextOr("reason", IsReasonText, "at most 200 bytes", ""));
  PAWL_TRY(members.End());
  return reason;
}

}  // namespace pawl::http
