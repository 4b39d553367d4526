#include "wire/messages.h"

#include <algorithm>

namespace pawl::wire {
namespace {

constexpr std::string_view kPhases[] = {"accepted",  "downloading", "verified", "committed", "trial",
                                        "succeeded", "rolled_back", "refused",  "cancelled"};
constexpr std::string_view kModes[] = {"normal", "trial", "unproven"};
constexpr std::string_view kTopicPrefix = "pawl/1/";
constexpr std::string_view kUpSuffix = "/up";

template <class Enum, std::size_t N>
Result<Enum> Find(const std::string_view (&texts)[N], std::string_view text, std::string_view what) {
  const auto* found = std::ranges::find(texts, text);
  if (found == std::end(texts)) return Fail(Reason::kMalformed, what);
  return static_cast<Enum>(found - texts);
}

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

std::string Topic(std::string_view tenant, std::string_view device, std::string_view suffix) {
  std::string topic(kTopicPrefix);
  topic.append(tenant).append("/").append(device).append(suffix);
  return topic;
}

}  // namespace

bool IsDeviceId(std::string_view id) {
  if (id.empty() || id.size() > kMaxIdBytes || !IsLowerOrDigit(id.front())) return false;
  return std::ranges::all_of(id, [](char c) { return IsLowerOrDigit(c) || c == '.' || c == '_' || c == '-'; });
}

std::string UpTopic(std::string_view tenant, std::string_view device) { return Topic(tenant, device, kUpSuffix); }
std::string DownTopic(std::string_view tenant, std::string_view device) { return Topic(tenant, device, "/down"); }

Result<TopicParts> ParseUpTopic(std::string_view topic) {
  if (!topic.starts_with(kTopicPrefix) || !topic.ends_with(kUpSuffix)) return Fail(Reason::kMalformed, "no up topic");
  const std::string_view rest = topic.substr(kTopicPrefix.size());
  const std::size_t slash = rest.find('/');
  // The suffix begins with a slash of its own: a topic without a device ends at the first one.
  if (slash == std::string_view::npos || slash + kUpSuffix.size() >= rest.size()) {
    return Fail(Reason::kMalformed, "up topic without a device");
  }
  const std::string_view tenant = rest.substr(0, slash);
  const std::string_view device = rest.substr(slash + 1, rest.size() - slash - 1 - kUpSuffix.size());
  if (!IsDeviceId(tenant) || !IsDeviceId(device)) return Fail(Reason::kMalformed, "up topic with a malformed id");
  return TopicParts{std::string(tenant), std::string(device)};
}

std::string_view Text(Phase phase) { return kPhases[static_cast<std::size_t>(phase)]; }
Result<Phase> ParsePhase(std::string_view text) { return Find<Phase>(kPhases, text, "unknown phase"); }

std::string_view Text(Mode mode) { return kModes[static_cast<std::size_t>(mode)]; }
Result<Mode> ParseMode(std::string_view text) { return Find<Mode>(kModes, text, "unknown mode"); }

}  // namespace pawl::wire
