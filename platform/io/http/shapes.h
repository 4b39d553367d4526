// The data layer's things as the API's JSON (api/openapi.yaml, components/schemas).
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "platform/io/data/artifacts.h"
#include "platform/io/data/audit.h"
#include "platform/io/data/campaigns.h"
#include "platform/io/data/classes.h"
#include "platform/io/data/devices.h"
#include "platform/io/data/events.h"
#include "platform/io/data/jobs.h"
#include "platform/io/data/releases.h"
#include "platform/io/data/tokens.h"
#include "platform/io/data/why.h"

namespace pawl::http {

boost::json::object Shape(const data::Token& token);
boost::json::object Shape(const data::Class& cls);
boost::json::object Shape(const data::Artifact& artifact);
boost::json::object Shape(const data::Release& release);
boost::json::object Shape(const data::Job& job);
boost::json::object Shape(const data::Device& device, const std::optional<data::Job>& job);
boost::json::object Shape(const data::Claim& claim);
boost::json::object Shape(const data::Why& why);
boost::json::object Shape(const data::Campaign& campaign, const data::Release& release);
boost::json::object Shape(const data::Event& event);
boost::json::object Shape(const data::AuditEntry& entry, const Digest& previous);
boost::json::object Shape(const data::AuditVerdict& verdict);
boost::json::object Shape(const ReasonEntry& entry);

// {"items": [...], "next": cursor or null}
boost::json::object PageShape(boost::json::array items, const std::optional<std::string>& next);
template <class T>
boost::json::object Shape(const data::Page<T>& page) {
  boost::json::array items;
  for (const T& item : page.items) items.push_back(Shape(item));
  return PageShape(std::move(items), page.next);
}

}  // namespace pawl::http
