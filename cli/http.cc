#include "cli/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>

#include "base/version.h"
#include "cli/terminal.h"

namespace pawl::cli {
namespace {

constexpr int kConnectTimeoutS = 10;
constexpr std::string_view kCaRemedy =
    "give the platform's CA certificate, ca.pem in pawld's data directory, with --ca, PAWL_CA or pawl login";

// One transfer's state, for libcurl's callbacks.
struct Transfer {
  CURL* curl = nullptr;
  const HttpRequest* request = nullptr;
  HttpAnswer answer;
  bool too_large = false;
  bool stopped = false;
  bool source_failed = false;
  bool idle = false;
  int idle_s = 0;
  curl_off_t moved = 0;  // bytes, both ways
  std::chrono::steady_clock::time_point last_moved = std::chrono::steady_clock::now();
};

bool IsSuccess(CURL* curl) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return status >= 200 && status < 300;
}

std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view bytes(data, size * count);
  if (transfer.request->sink && IsSuccess(transfer.curl)) {
    transfer.stopped = !transfer.request->sink(bytes);
    return transfer.stopped ? 0 : bytes.size();
  }
  transfer.too_large = transfer.answer.body.size() + bytes.size() > Http::kMaxBodyBytes;
  if (transfer.too_large) return 0;
  transfer.answer.body += bytes;
  return bytes.size();
}

std::size_t OnSource(char* to, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::ptrdiff_t got = transfer.request->source({to, size * count});
  transfer.source_failed = got < 0;
  return got < 0 ? CURL_READFUNC_ABORT : static_cast<std::size_t>(got);
}

// Called at least once a second. Not libcurl's own speed limit: that takes a stream's rare heartbeats for silence.
int OnProgress(void* user, curl_off_t, curl_off_t received, curl_off_t, curl_off_t sent) {
  auto& transfer = *static_cast<Transfer*>(user);
  const auto now = std::chrono::steady_clock::now();
  if (received + sent != transfer.moved) transfer.last_moved = now;
  transfer.moved = received + sent;
  transfer.idle = now - transfer.last_moved >= std::chrono::seconds(transfer.idle_s);
  return Interrupted() || transfer.idle ? 1 : 0;
}

std::string ContentType(CURL* curl) {
  const char* type = nullptr;
  curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
  std::string text = type != nullptr ? type : "";
  text.resize(std::min(text.find(';'), text.size()));
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

bool IsTlsTrouble(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR || code == CURLE_SSL_ISSUER_ERROR;
}

std::unexpected<Failure> Describe(CURLcode code, const char* detail, const Http::Peer& peer) {
  const std::string reason = *detail != '\0' ? detail : curl_easy_strerror(code);
  const std::string trust = peer.ca.empty() ? "the system's CAs" : peer.ca;
  if (code == CURLE_ABORTED_BY_CALLBACK) return Fail(Exit::kInterrupted, "interrupted");
  if (code == CURLE_SSL_CACERT_BADFILE)
    return Fail(Exit::kUsage, "cannot use the CA file " + trust + ": " + reason, std::string(kCaRemedy));
  if (IsTlsTrouble(code)) {
    return Fail(Exit::kUnreachable, "no trusted connection to " + peer.url + " (CA: " + trust + "): " + reason,
                std::string(kCaRemedy));
  }
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return Fail(Exit::kUnreachable, peer.url + " does not answer: " + reason,
                "see whether pawld runs; allow more time with --timeout");
  }
  return Fail(Exit::kUnreachable, "cannot reach " + peer.url + " (CA: " + trust + "): " + reason,
              "start pawld, or name another platform with --url, PAWL_URL or pawl login");
}

}  // namespace

struct Http::Handle {
  CURL* curl = curl_easy_init();
  ~Handle() { curl_easy_cleanup(curl); }
};

Http::Http(Peer peer) : peer_(std::move(peer)) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(initialised);  // its failure shows at the first transfer
  handle_ = std::make_unique<Handle>();
}
Http::~Http() = default;
Http::Http(Http&&) noexcept = default;

Outcome<HttpAnswer> Http::Send(const HttpRequest& request) {
  CURL* curl = handle_->curl;
  if (curl == nullptr) return Fail(Exit::kUnreachable, "libcurl cannot be set up", "check the installation");
  if (!peer_.ca.empty() && !std::filesystem::is_regular_file(peer_.ca)) {
    return Fail(Exit::kUsage, "there is no CA file " + peer_.ca, std::string(kCaRemedy));
  }
  curl_easy_reset(curl);  // keeps the connection
  Transfer transfer{
      .curl = curl, .request = &request, .answer = {}, .idle_s = request.idle_s > 0 ? request.idle_s : peer_.timeout_s};
  std::array<char, CURL_ERROR_SIZE> detail{};
  const std::string url = peer_.url + request.target;
  const std::string agent = "pawl/" + std::string(kVersion);
  curl_slist* headers = curl_slist_append(nullptr, "Expect:");
  for (const std::string& header : request.headers) headers = curl_slist_append(headers, header.c_str());
  if (!peer_.token.empty()) headers = curl_slist_append(headers, ("Authorization: Bearer " + peer_.token).c_str());

  const auto set = [curl](CURLoption option, auto value) { curl_easy_setopt(curl, option, value); };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "https");
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_USERAGENT, agent.c_str());
  set(CURLOPT_ERRORBUFFER, detail.data());
  set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(std::min(peer_.timeout_s, kConnectTimeoutS)));
  set(CURLOPT_HTTPHEADER, headers);
  set(CURLOPT_WRITEFUNCTION, &OnBody);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &OnProgress);
  set(CURLOPT_XFERINFODATA, &transfer);
  if (!peer_.ca.empty()) {
    set(CURLOPT_CAINFO, peer_.ca.c_str());
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // this CA and no other
  }
  if (request.source) {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.source_bytes));
    set(CURLOPT_READFUNCTION, &OnSource);
    set(CURLOPT_READDATA, &transfer);
  } else if (request.method == "POST") {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(CURLOPT_POSTFIELDS, request.body.data());
  } else if (request.method != "GET") {
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  const CURLcode code = curl_easy_perform(curl);
  curl_slist_free_all(headers);

  long status = 0;
  curl_off_t retry_after = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after);
  transfer.answer.status = static_cast<int>(status);
  transfer.answer.retry_after_s = static_cast<int>(std::clamp<curl_off_t>(retry_after, 0, 3600));
  transfer.answer.content_type = ContentType(curl);
  if (transfer.too_large)
    return Fail(Exit::kUnreachable, peer_.url + " sent an answer over 64 MiB", "use --limit, or narrow the list");
  if (transfer.source_failed)
    return Fail(Exit::kUsage, "the file could not be read to its end", "check the file and try again");
  // A platform that refuses an upload may close before it has read all of it: its answer counts.
  const bool answered_early = code == CURLE_SEND_ERROR && status >= 400;
  if (transfer.idle) {
    return Describe(CURLE_OPERATION_TIMEDOUT, ("silent for " + std::to_string(transfer.idle_s) + " s").c_str(), peer_);
  }
  if (code == CURLE_OK || transfer.stopped || answered_early) return std::move(transfer.answer);
  return Describe(code, detail.data(), peer_);
}

}  // namespace pawl::cli
