// HTTPS for one thread and one loop, over libcurl.
//
// Redirects   https to https only, at most 3.
// Addresses   unless a request allows it, no connection goes to a loopback or link-local address, redirected or not.
// Errors      an outcome's error is `tls error`, `timeout`, `download too slow`, `invalid argument` (a URL, redirect or
//             address that is not allowed) or `unavailable`, with what happened.
#pragma once

#include <poll.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/io/tls.h"

namespace pawl::agent {

struct HttpRequest {
  std::string url;
  std::optional<std::string> json;   // then it is a POST
  std::optional<std::string> range;  // "0-65535"
  std::string if_range;              // an ETag; empty: none
  bool fresh = false;                // a connection of its own, used for nothing else
  bool only_connect = false;         // no HTTP at all: does anything answer there?
  bool allow_loopback = false;
  std::string bind_address;
  std::uint64_t timeout_ms = 30'000;  // of the whole; 0: none
  std::uint64_t connect_timeout_ms = 10'000;
  std::uint64_t rate_max = 0;  // bytes/s
  std::uint64_t rate_min = 0;  // bytes/s over rate_window_s; below: too slow
  std::uint32_t rate_window_s = 20;
};

struct HttpHead {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
};

struct HttpOutcome {
  HttpHead head;               // status 0: no answer came
  std::optional<Error> error;  // the exchange did not end well; a status of 400 or more is no error here
  bool peer_answered = false;  // something at the other end spoke: a connection, a refusal, a TLS alert
};

// What becomes of a request. Lifetime: until OnDone returned or the request was cancelled.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // Before the first byte of the final answer's body. False: stop; OnDone follows.
  virtual bool OnHead(const HttpHead&) { return true; }
  virtual bool OnBody(ByteView bytes) = 0;
  virtual void OnDone(const HttpOutcome& outcome) = 0;
};

// Collects a small body.
class SmallBody : public HttpHandler {
 public:
  static constexpr std::size_t kMaxBytes = 65536;
  bool OnBody(ByteView bytes) override;
  void OnDone(const HttpOutcome& outcome) override;

  bool done = false;
  std::string body;
  HttpOutcome outcome;
};

class HttpClient {
 public:
  using Id = std::uint64_t;

  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // For requests that start from now on; without it every https request fails.
  void UseTls(std::shared_ptr<const Tls> tls);
  Id Start(const HttpRequest& request, HttpHandler& handler);
  void Cancel(Id id);  // no OnDone

  // Waits until something happens to a request or an extra descriptor (pollfd's meaning), at most timeout_ms; then
  // calls the handlers.
  void Poll(std::vector<pollfd>& extra, int timeout_ms);

 private:
  struct Transfer;
  void Finish();

  void* multi_;  // CURLM
  std::map<Id, std::unique_ptr<Transfer>> transfers_;
  Id next_id_ = 1;
  std::shared_ptr<const Tls> tls_;
  bool stale_ = false;  // kept connections were made with another certificate
};

}  // namespace pawl::agent
