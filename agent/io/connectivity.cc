#include "agent/io/connectivity.h"

#include <algorithm>
#include <sstream>

#include "base/hosted/files.h"
#include "base/text.h"

namespace pawl::agent {
namespace {

constexpr std::size_t kMaxAnswer = 4096;
constexpr std::size_t kMaxRouteBytes = 65536;
constexpr std::uint64_t kTryMaxMs = 10'000;

}  // namespace

std::string DefaultGateway(std::string_view route_table) {
  std::istringstream lines{std::string(route_table)};
  std::string line;
  std::getline(lines, line);  // the heading
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string interface, destination, gateway;
    fields >> interface >> destination >> gateway;
    std::array<std::uint8_t, 4> ip{};
    std::ranges::transform(gateway, gateway.begin(),
                           [](char c) { return static_cast<char>(c >= 'A' && c <= 'F' ? c + 32 : c); });
    if (destination != "00000000" || !HexDecode(gateway, ip) || gateway == "00000000") continue;
    std::ostringstream text;  // the number is in the machine's order
    text << int{ip[3]} << '.' << int{ip[2]} << '.' << int{ip[1]} << '.' << int{ip[0]};
    return text.str();
  }
  return {};
}

void Connectivity::Start(std::uint64_t budget_ms, const Nonce& nonce) {
  Stop();
  std::array<char, 32> hex{};
  nonce_ = HexEncode(nonce, hex);
  try_ms_ = std::clamp<std::uint64_t>(budget_ms / (config_.https_urls.size() + 1), 1, kTryMaxMs);
  next_ = 0;
  asking_gateway_ = false;
  link_ = false;
  detail_.clear();
  verdict_.reset();
  AskNext();
}

void Connectivity::Stop() {
  if (request_ != 0) http_.Cancel(request_);
  request_ = 0;
}

std::optional<Verdict> Connectivity::Take() { return std::exchange(verdict_, std::nullopt); }

void Connectivity::AskNext() {
  if (next_ == config_.https_urls.size()) {
    AskGateway();
    return;
  }
  body_.clear();
  std::string url = config_.https_urls[next_++];
  if (!url.ends_with('/')) url += '/';
  HttpRequest request;
  request.url = url + "device/v1/nonce?nonce=" + nonce_;
  request.fresh = true;
  request.allow_loopback = true;  // the operator configured it
  request.bind_address = config_.bind_address;
  request.timeout_ms = try_ms_;
  request.connect_timeout_ms = try_ms_;
  request_ = http_.Start(request, *this);
}

// Only needed if no endpoint showed a sign of life.
void Connectivity::AskGateway() {
  std::string gateway = config_.gateway;
  if (gateway.empty() && !link_) {
    const auto table = ReadFile("/proc/net/route", kMaxRouteBytes);
    gateway = table ? DefaultGateway(*table) : "";
  }
  if (link_ || gateway.empty()) {
    verdict_ = link_ ? Verdict::kUndecided : Verdict::kNoLink;
    return;
  }
  const auto endpoint = ParseEndpoint(gateway, "", 80);
  asking_gateway_ = true;
  HttpRequest request;
  request.url = "http://" + (endpoint ? endpoint->host + ":" + std::to_string(endpoint->port) : gateway);
  request.only_connect = true;
  request.fresh = true;
  request.allow_loopback = true;
  request.bind_address = config_.bind_address;
  request.timeout_ms = try_ms_;
  request.connect_timeout_ms = try_ms_;
  request_ = http_.Start(request, *this);
}

bool Connectivity::OnBody(ByteView bytes) {
  if (body_.size() + bytes.size() > kMaxAnswer) return false;
  body_.append(AsText(bytes));
  return true;
}

// The nonce is 128 fresh random bits in hex: an answer that holds it was made for this question.
bool Connectivity::NonceReturned() const { return body_.find("\"" + nonce_ + "\"") != std::string::npos; }

void Connectivity::OnDone(const HttpOutcome& outcome) {
  request_ = 0;
  link_ = link_ || outcome.peer_answered;
  if (asking_gateway_) {
    verdict_ = link_ ? Verdict::kUndecided : Verdict::kNoLink;
    return;
  }
  if (!outcome.error && outcome.head.status == 200 && NonceReturned()) {
    verdict_ = Verdict::kPass;
    return;
  }
  detail_ =
      outcome.error ? std::string(outcome.error->detail.view()) : "HTTP status " + std::to_string(outcome.head.status);
  if (const std::size_t nonce = detail_.find(nonce_); nonce != std::string::npos) detail_.erase(nonce, nonce_.size());
  AskNext();
}

}  // namespace pawl::agent
