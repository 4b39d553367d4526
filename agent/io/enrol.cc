#include "agent/io/enrol.h"

#include <boost/json.hpp>

#include "agent/io/build_time.h"
#include "agent/io/log.h"
#include "agent/io/system.h"
#include "base/hosted/files.h"

namespace pawl::agent {
namespace {

constexpr std::size_t kMaxClaimBytes = 512;
constexpr std::size_t kMaxCaBytes = 65536;
constexpr std::uint64_t kLookAgainMs = 3'600'000;
constexpr int kPollMs = 200;

std::string Trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

bool Printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F; });
}

std::string PathOf(std::string url, std::string_view path) {
  if (url.ends_with('/')) url.pop_back();
  return url.append(path);
}

Reason ReasonOf(int status) {
  switch (status) {
    case 400:
      return Reason::kInvalidArgument;
    case 401:
      return Reason::kUnauthenticated;
    case 403:
      return Reason::kForbidden;
    case 409:
      return Reason::kConflict;
    case 429:
      return Reason::kRateLimited;
    default:
      return Reason::kUnavailable;
  }
}

// Pins the CA before anything is said to anybody.
Result<PinnedCas> TakeCa(const EnrolOptions& options, const Config& config, const KeyTable& anchors) {
  if (options.ca_file.empty()) return LoadPinnedCas(config, anchors);
  PAWL_ASSIGN(const auto content, ReadFile(options.ca_file, kMaxCaBytes));
  PAWL_ASSIGN(PinnedCas pinned, PinCas(content, anchors));
  PAWL_TRY(WriteFileDurably(config.InData("ca.pem"), content, 0644));
  return pinned;
}

Result<std::string> AskCertificate(const std::string& url, const std::string& json, const PinnedCas& cas) {
  TlsSettings settings;
  settings.cas = cas.pems;
  settings.time_floor = kBuildTime;
  settings.build_time = kBuildTime;
  settings.clock = WallS();
  HttpClient http;
  http.UseTls(std::make_shared<const Tls>(std::move(settings)));
  HttpRequest request;
  request.url = PathOf(url, "/enrol/v1");
  request.json = json;
  request.allow_loopback = true;  // the operator named it
  SmallBody answer;
  http.Start(request, answer);
  std::vector<pollfd> none;
  while (!answer.done) http.Poll(none, kPollMs);
  if (answer.outcome.error) return std::unexpected(*answer.outcome.error);
  return ParseCertificateAnswer(answer.outcome.head.status, answer.body);
}

}  // namespace

Result<Claim> ParseClaim(std::string_view text, std::string_view file_name, std::string_view id) {
  const std::string line = Trimmed(text);
  const std::size_t space = line.find(' ');
  Claim claim;
  claim.token = space == std::string::npos ? line : Trimmed(std::string_view(line).substr(space + 1));
  if (space != std::string::npos) claim.id = line.substr(0, space);
  if (!id.empty()) claim.id = id;
  if (claim.id.empty()) {
    const std::size_t slash = file_name.rfind('/');
    claim.id = slash == std::string_view::npos ? file_name : file_name.substr(slash + 1);
    if (claim.id.ends_with(".claim")) claim.id.resize(claim.id.size() - 6);
  }
  if (claim.token.empty() || !Printable(claim.token)) return Fail(Reason::kMalformed, "the claim file holds no token");
  if (!wire::IsDeviceId(claim.id)) {
    return Fail(Reason::kInvalidArgument, "\"" + claim.id + "\" is no device id: name it with --id");
  }
  return claim;
}

Result<std::string> ParseCertificateAnswer(int status, std::string_view body) {
  boost::system::error_code failed;
  const boost::json::value value = boost::json::parse({body.data(), body.size()}, failed);
  const boost::json::object* object = failed ? nullptr : value.if_object();
  if (status != 200) {
    std::string told = "HTTP status " + std::to_string(status);
    const auto* error = object != nullptr ? object->if_contains("error") : nullptr;
    const auto* message = error != nullptr && error->is_object() ? error->as_object().if_contains("message") : nullptr;
    if (message != nullptr && message->is_string()) told = std::string(message->as_string());
    return Fail(ReasonOf(status), told);
  }
  const auto* certificate = object != nullptr ? object->if_contains("certificate") : nullptr;
  if (certificate == nullptr || !certificate->is_string())
    return Fail(Reason::kMalformed, "the answer holds no certificate");
  return std::string(certificate->as_string());
}

Result<CertificateFacts> Enrol(const EnrolOptions& options) {
  PAWL_ASSIGN(const Config config, LoadConfig(options.folder));
  PAWL_ASSIGN(const KeyTable anchors, LoadAnchors(config));
  PAWL_ASSIGN(const PinnedCas cas, TakeCa(options, config, anchors));
  PAWL_TRY(ParseEndpoint(options.url, "https", 443));
  PAWL_ASSIGN(const auto claim_text, ReadFile(options.claim_file, kMaxClaimBytes));
  PAWL_ASSIGN(const Claim claim, ParseClaim(claim_text, options.claim_file, options.id));
  PAWL_ASSIGN(const PrivateKey key, PrivateKey::LoadOrGenerate(config.InData("device.key")));
  PAWL_ASSIGN(const std::string csr, key.Csr(claim.id));
  const boost::json::value body{{"id", claim.id}, {"token", claim.token}, {"csr", csr}};
  PAWL_ASSIGN(const std::string certificate, AskCertificate(options.url, boost::json::serialize(body), cas));
  PAWL_ASSIGN(CertificateFacts facts, ReadCertificate(certificate));
  if (facts.public_key != key.public_key() || facts.common_name != claim.id) {
    return Fail(Reason::kConflict, "the certificate is for another device or key");
  }
  PAWL_TRY(WriteFileDurably(config.InData("device.pem"), certificate, 0644));
  return facts;
}

// --- renewal ---

std::uint64_t RenewalTime(const CertificateFacts& facts) {
  return facts.not_before + (facts.not_after - facts.not_before) / 3 * 2;
}

Renewal::~Renewal() {
  if (request_ != 0) http_.Cancel(request_);
}

bool Renewal::Work(const DeviceIdentity& identity, std::uint64_t device_time_s, std::uint64_t now_ms) {
  if (request_ != 0 && answer_.done) {
    request_ = 0;
    const auto renewed = Take(identity);
    if (renewed) {
      Log("identity: certificate renewed");
      return true;
    }
    LogError("identity: renewal", renewed.error());
  }
  if (request_ != 0 || now_ms < next_ms_) return false;
  next_ms_ = now_ms + kLookAgainMs / 2 + DrawRandom().jitter % kLookAgainMs;
  if (device_time_s < RenewalTime(identity.facts) || config_.https_urls.empty()) return false;
  if (const Status asked = Ask(identity); !asked) LogError("identity: renewal", asked.error());
  return false;
}

Status Renewal::Ask(const DeviceIdentity& identity) {
  PAWL_ASSIGN(key_, PrivateKey::LoadOrGenerate(config_.InData("device.next.key")));
  PAWL_ASSIGN(const std::string csr, key_->Csr(identity.id()));
  HttpRequest request;
  request.url = PathOf(config_.https_urls[endpoint_++ % config_.https_urls.size()], "/device/v1/renew");
  request.json = boost::json::serialize(boost::json::value{{"csr", csr}});
  request.allow_loopback = true;
  request.bind_address = config_.bind_address;
  answer_ = SmallBody();
  request_ = http_.Start(request, answer_);
  return {};
}

Result<DeviceIdentity> Renewal::Take(const DeviceIdentity& old) {
  if (answer_.outcome.error) return std::unexpected(*answer_.outcome.error);
  PAWL_ASSIGN(std::string certificate, ParseCertificateAnswer(answer_.outcome.head.status, answer_.body));
  PAWL_ASSIGN(CertificateFacts facts, ReadCertificate(certificate));
  if (facts.public_key != key_->public_key() || facts.common_name != old.id()) {
    return Fail(Reason::kConflict, "the renewed certificate is for another device or key");
  }
  DeviceIdentity renewed{*key_, std::move(certificate), std::move(facts)};
  PAWL_TRY(StoreRenewed(config_, renewed));
  PAWL_TRY(RemoveFile(config_.InData("device.next.key")));
  return renewed;
}

}  // namespace pawl::agent
