#include "agent/io/http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace pawl::agent {
namespace {

constexpr std::size_t kMaxHeaders = 64;
constexpr std::size_t kMaxHeaderBytes = 8192;
constexpr long kMaxRedirects = 3;
constexpr long kReceiveBytes = 128L * 1024;

struct GlobalCurl {
  GlobalCurl() { curl_global_init(CURL_GLOBAL_DEFAULT); }
};

// A network that only the machine itself, or its own wire, can mean.
bool IsLocal(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const std::uint32_t ip = ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr);
    return (ip >> 24) == 127 || (ip >> 24) == 0 || (ip >> 16) == 0xA9FE;
  }
  if (address->sa_family != AF_INET6) return true;
  const in6_addr& ip = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&ip)) {
    sockaddr_in inner{};
    inner.sin_family = AF_INET;
    std::memcpy(&inner.sin_addr, &ip.s6_addr[12], 4);
    return IsLocal(reinterpret_cast<const sockaddr*>(&inner));
  }
  return IN6_IS_ADDR_LOOPBACK(&ip) || IN6_IS_ADDR_LINKLOCAL(&ip) || IN6_IS_ADDR_UNSPECIFIED(&ip);
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
  return lower;
}

std::string_view Trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

struct HttpClient::Transfer {
  HttpRequest request;
  HttpHandler* handler = nullptr;
  std::shared_ptr<const Tls> tls;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  HttpHead head;
  bool head_told = false;
  bool stopped = false;  // by the handler
  bool refused_local = false;
  std::array<char, CURL_ERROR_SIZE> error{};

  ~Transfer() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
  }

  template <class T>
  void Set(CURLoption option, T value) {
    curl_easy_setopt(easy, option, value);
  }
  void AddHeader(const std::string& line) { headers = curl_slist_append(headers, line.c_str()); }

  void SetUp(HttpClient::Id id);
  void SetLimits();
  bool TellHead() {
    if (!head_told) {
      head_told = true;
      stopped = !handler->OnHead(head);
    }
    return !stopped;
  }
  HttpOutcome Outcome(CURLcode code);
  Error ErrorOf(CURLcode code) const;
  bool PeerAnswered(CURLcode code) const;

  static std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* self);
  static CURLcode OnSslContext(CURL*, void* context, void* self);
  static curl_socket_t OnSocket(void* self, curlsocktype, curl_sockaddr* address);
};

std::size_t HttpClient::Transfer::OnHeader(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::string_view line(data, size * count);
  if (line.size() > kMaxHeaderBytes || transfer.head.headers.size() >= kMaxHeaders) return 0;
  if (line.starts_with("HTTP/")) {  // a new answer: after a redirect, or 100
    transfer.head.headers.clear();
    return line.size();
  }
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    transfer.head.headers[Lower(Trim(line.substr(0, colon)))] = Trim(line.substr(colon + 1));
  }
  return line.size();
}

std::size_t HttpClient::Transfer::OnBody(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  long status = 0;
  curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
  transfer.head.status = static_cast<int>(status);
  if (!transfer.TellHead()) return 0;
  const std::size_t bytes = size * count;
  transfer.stopped = !transfer.handler->OnBody({reinterpret_cast<const std::uint8_t*>(data), bytes});
  return transfer.stopped ? 0 : bytes;
}

CURLcode HttpClient::Transfer::OnSslContext(CURL*, void* context, void* self) {
  const auto& transfer = *static_cast<Transfer*>(self);
  if (!transfer.tls) return CURLE_SSL_CERTPROBLEM;  // not enrolled yet
  const Status configured = transfer.tls->Configure(static_cast<ssl_ctx_st*>(context));
  return configured ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

curl_socket_t HttpClient::Transfer::OnSocket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (!transfer.request.allow_loopback && IsLocal(&address->addr)) {
    transfer.refused_local = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

void HttpClient::Transfer::SetUp(HttpClient::Id id) {
  easy = curl_easy_init();
  Set(CURLOPT_PRIVATE, reinterpret_cast<void*>(id));
  Set(CURLOPT_URL, request.url.c_str());
  Set(CURLOPT_NOSIGNAL, 1L);
  Set(CURLOPT_ERRORBUFFER, error.data());
  Set(CURLOPT_USERAGENT, "pawl-agent");
  Set(CURLOPT_PROXY, "");  // no surprise from the environment
  Set(CURLOPT_PROTOCOLS_STR, request.only_connect ? "http" : "https");
  Set(CURLOPT_REDIR_PROTOCOLS_STR, "https");
  Set(CURLOPT_FOLLOWLOCATION, 1L);
  Set(CURLOPT_MAXREDIRS, kMaxRedirects);
  Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  Set(CURLOPT_CONNECT_ONLY, request.only_connect ? 1L : 0L);
  Set(CURLOPT_FRESH_CONNECT, request.fresh ? 1L : 0L);
  Set(CURLOPT_FORBID_REUSE, request.fresh ? 1L : 0L);
  Set(CURLOPT_CAINFO, nullptr);
  Set(CURLOPT_CAPATH, nullptr);
  Set(CURLOPT_SSL_CTX_FUNCTION, &OnSslContext);
  Set(CURLOPT_SSL_CTX_DATA, this);
  if (request.fresh) Set(CURLOPT_SSL_SESSIONID_CACHE, 0L);
  Set(CURLOPT_OPENSOCKETFUNCTION, &OnSocket);
  Set(CURLOPT_OPENSOCKETDATA, this);
  if (!request.bind_address.empty()) Set(CURLOPT_INTERFACE, ("host!" + request.bind_address).c_str());
  Set(CURLOPT_HEADERFUNCTION, &OnHeader);
  Set(CURLOPT_HEADERDATA, this);
  Set(CURLOPT_WRITEFUNCTION, &OnBody);
  Set(CURLOPT_WRITEDATA, this);
  if (request.range) Set(CURLOPT_RANGE, request.range->c_str());
  if (!request.if_range.empty()) AddHeader("If-Range: " + request.if_range);
  if (request.json) {
    Set(CURLOPT_COPYPOSTFIELDS, request.json->c_str());
    AddHeader("Content-Type: application/json");
    AddHeader("Expect:");
  }
  Set(CURLOPT_HTTPHEADER, headers);
  SetLimits();
}

void HttpClient::Transfer::SetLimits() {
  Set(CURLOPT_BUFFERSIZE, kReceiveBytes);
  Set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
  Set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout_ms));
  if (request.rate_max != 0) Set(CURLOPT_MAX_RECV_SPEED_LARGE, static_cast<curl_off_t>(request.rate_max));
  if (request.rate_min != 0) {
    Set(CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(request.rate_min));
    Set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.rate_window_s));
  }
}

bool HttpClient::Transfer::PeerAnswered(CURLcode code) const {
  if (code == CURLE_OK || head.status != 0) return true;
  curl_off_t connected_us = 0;
  curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connected_us);
  long system_error = 0;
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &system_error);
  return connected_us > 0 || system_error == ECONNREFUSED || system_error == ECONNRESET;
}

Error HttpClient::Transfer::ErrorOf(CURLcode code) const {
  Error told{Reason::kUnavailable, std::string_view(request.url)};
  told.detail.append(": ");
  if (refused_local) {
    told.reason = Reason::kInvalidArgument;
    told.detail.append("refused: a loopback or link-local address (allow_loopback)");
    return told;
  }
  if (!tls) {
    told.reason = Reason::kTls;
    told.detail.append("no certificate yet; enrol the device first");
    return told;
  }
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: {
      const bool slow = std::string_view(error.data()).find("too slow") != std::string_view::npos;
      told.reason = slow ? Reason::kDownloadTooSlow : Reason::kTimeout;
      break;
    }
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
      told.reason = Reason::kTls;
      break;
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      told.reason = Reason::kInvalidArgument;
      break;
    default:
      break;
  }
  told.detail.append(error[0] != '\0' ? error.data() : curl_easy_strerror(code));
  return told;
}

HttpOutcome HttpClient::Transfer::Outcome(CURLcode code) {
  HttpOutcome outcome;
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  head.status = static_cast<int>(status);
  if (code == CURLE_OK && !request.only_connect) TellHead();  // an empty body
  outcome.head = head;
  outcome.peer_answered = PeerAnswered(code);
  if (code != CURLE_OK && !stopped) outcome.error = ErrorOf(code);
  return outcome;
}

bool SmallBody::OnBody(ByteView bytes) {
  if (body.size() + bytes.size() > kMaxBytes) return false;
  body.append(AsText(bytes));
  return true;
}

void SmallBody::OnDone(const HttpOutcome& result) {
  outcome = result;
  done = true;
}

HttpClient::HttpClient() {
  static const GlobalCurl global;
  multi_ = curl_multi_init();
}

HttpClient::~HttpClient() {
  while (!transfers_.empty()) Cancel(transfers_.begin()->first);
  curl_multi_cleanup(static_cast<CURLM*>(multi_));
}

void HttpClient::UseTls(std::shared_ptr<const Tls> tls) {
  tls_ = std::move(tls);
  stale_ = true;
}

HttpClient::Id HttpClient::Start(const HttpRequest& request, HttpHandler& handler) {
  if (stale_ && transfers_.empty()) {  // closes what is kept
    curl_multi_cleanup(static_cast<CURLM*>(multi_));
    multi_ = curl_multi_init();
    stale_ = false;
  }
  const Id id = next_id_++;
  auto transfer = std::make_unique<Transfer>();
  transfer->request = request;
  transfer->handler = &handler;
  transfer->tls = tls_;
  transfer->SetUp(id);
  curl_multi_add_handle(static_cast<CURLM*>(multi_), transfer->easy);
  transfers_.emplace(id, std::move(transfer));
  return id;
}

void HttpClient::Cancel(Id id) {
  const auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  curl_multi_remove_handle(static_cast<CURLM*>(multi_), found->second->easy);
  transfers_.erase(found);
}

void HttpClient::Poll(std::vector<pollfd>& extra, int timeout_ms) {
  auto* multi = static_cast<CURLM*>(multi_);
  std::vector<curl_waitfd> waits;
  for (const pollfd& fd : extra) waits.push_back({fd.fd, fd.events, 0});
  int running = 0;
  curl_multi_perform(multi, &running);  // what Start added goes out at once
  Finish();
  curl_multi_poll(multi, waits.data(), static_cast<unsigned>(waits.size()), timeout_ms, nullptr);
  for (std::size_t i = 0; i < waits.size(); ++i) extra[i].revents = waits[i].revents;
  curl_multi_perform(multi, &running);
  Finish();
}

void HttpClient::Finish() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(static_cast<CURLM*>(multi_), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    void* tag = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &tag);
    const auto found = transfers_.find(reinterpret_cast<Id>(tag));
    if (found == transfers_.end()) continue;
    const std::unique_ptr<Transfer> transfer = std::move(found->second);
    const HttpOutcome outcome = transfer->Outcome(message->data.result);
    curl_multi_remove_handle(static_cast<CURLM*>(multi_), transfer->easy);
    transfers_.erase(found);
    transfer->handler->OnDone(outcome);
  }
}

}  // namespace pawl::agent
