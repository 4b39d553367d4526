#include "platform/io/http/errors.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <set>

namespace pawl::http {
namespace {

namespace json = boost::json;

constexpr char kRetryAfterS[] = "5";
constexpr std::size_t kMaxDevicesInError = 100;

// Those of the devices that the message names, as whole words.
json::array Named(std::string_view message, const std::vector<std::string>& devices) {
  constexpr std::string_view kIdCharacters = "abcdefghijklmnopqrstuvwxyz0123456789._-";
  const std::set<std::string_view> known(devices.begin(), devices.end());
  json::array named;
  while (!message.empty() && named.size() < kMaxDevicesInError) {
    const std::size_t start = std::min(message.find_first_of(kIdCharacters), message.size());
    message.remove_prefix(start);
    const std::size_t end = std::min(message.find_first_not_of(kIdCharacters), message.size());
    const std::string_view word = message.substr(0, end);
    if (known.contains(word)) named.push_back(json::value(json::string_view(word)));
    message.remove_prefix(end);
  }
  return named;
}

}  // namespace

unsigned StatusOf(Reason reason) {
  switch (reason) {
    case Reason::kMalformed:
    case Reason::kInvalidArgument:
    case Reason::kTruncated:
    case Reason::kDigestMismatch:
    case Reason::kImageDigest:
    case Reason::kImageTooLarge:
    case Reason::kTrialBudget:
    case Reason::kUnsupportedVersion:
      return 400;
    case Reason::kUnauthenticated:
      return 401;
    case Reason::kForbidden:
      return 403;
    case Reason::kNotFound:
      return 404;
    case Reason::kConflict:
    case Reason::kClaimConflict:
    case Reason::kIdentityFork:
      return 409;
    case Reason::kTooLarge:
      return 413;
    case Reason::kRateLimited:
      return 429;
    case Reason::kUnavailable:
    case Reason::kTimeout:  // a part's; a client that is too slow loses its connection
    case Reason::kHsm:
    case Reason::kNoSpace:
      return 503;
    default:
      return 500;
  }
}

Response ErrorResponse(unsigned status, const Error& error, std::string_view remedy,
                       const std::vector<std::string>& devices) {
  const ReasonEntry& entry = Describe(error.reason);
  const std::string_view message = error.detail.empty() ? entry.meaning : error.detail.view();
  if (remedy.empty()) remedy = entry.remedy;
  Response response;
  response.status = status;
  response.set("Content-Type", "application/json").set("Cache-Control", "no-store");
  if (status == 503 || status == 429) response.set("Retry-After", kRetryAfterS);
  json::object body{{"code", static_cast<unsigned>(error.reason)},
                    {"reason", json::string_view(entry.text)},
                    {"message", json::string_view(message)},
                    {"remedy", json::string_view(remedy)},
                    {"devices", Named(message, devices)}};
  response.body = json::serialize(json::object{{"error", std::move(body)}});
  return response;
}

Response ErrorResponse(const Error& error, std::string_view remedy, const std::vector<std::string>& devices) {
  return ErrorResponse(StatusOf(error.reason), error, remedy, devices);
}

}  // namespace pawl::http
