// What the broker's plugin and the platform have agreed on, besides the view.
//
// The plugin tells the platform of each device's connection by a retained message on the device's link topic: the hex
// SHA-256 of its key's SubjectPublicKeyInfo while it is connected, none (an empty payload) when it is gone. So whoever
// subscribes learns at once who is connected, and a broker that starts anew knows of nobody.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wire/messages.h"

namespace pawl::broker {

// The platform's name as a client: no device id can be it. Taken only over the broker's Unix socket.
inline constexpr std::string_view kPlatformClient = "$platform";

inline constexpr std::string_view kUpFilter = "pawl/1/+/+/up";
inline constexpr std::string_view kLinkFilter = "pawl/1/+/+/link";

// pawl/1/<tenant>/<device>/link
std::string LinkTopic(std::string_view tenant, std::string_view device);
// The device of a link topic; nothing for any other topic.
std::optional<std::string> DeviceOfLinkTopic(std::string_view topic);

}  // namespace pawl::broker
