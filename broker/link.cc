#include "broker/link.h"

namespace pawl::broker {
namespace {

constexpr std::string_view kUp = "/up";
constexpr std::string_view kLink = "/link";

}  // namespace

std::string LinkTopic(std::string_view tenant, std::string_view device) {
  std::string topic = wire::UpTopic(tenant, device);
  topic.resize(topic.size() - kUp.size());
  return topic.append(kLink);
}

std::optional<std::string> DeviceOfLinkTopic(std::string_view topic) {
  if (!topic.ends_with(kLink)) return std::nullopt;
  const auto parts = wire::ParseUpTopic(std::string(topic.substr(0, topic.size() - kLink.size())).append(kUp));
  if (!parts) return std::nullopt;
  return parts->device;
}

}  // namespace pawl::broker
