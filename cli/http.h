// HTTPS to one platform, over libcurl. No redirects are followed and no other scheme is spoken, so the token goes to
// that platform alone.
//
// Threads  one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cli/outcome.h"

namespace pawl::cli {

struct HttpRequest {
  std::string method = "GET";
  std::string target;  // path and query, encoded
  std::vector<std::string> headers{};
  std::string body{};
  // A body that is read as it is sent, `source_bytes` long: fills the span, returns how much (0: the end, < 0: failed).
  std::function<std::ptrdiff_t(std::span<char>)> source{};
  std::uint64_t source_bytes = 0;
  // Takes the body of a 2xx answer as it comes, instead of HttpAnswer::body. False: stop, the transfer ends well.
  std::function<bool(std::string_view)> sink{};
  // Silence of this length is a failure; 0: the connection's timeout.
  int idle_s = 0;
};

struct HttpAnswer {
  int status = 0;
  std::string content_type;  // without parameters
  int retry_after_s = 0;     // 0: not given
  std::string body{};
};

class Http {
 public:
  static constexpr std::size_t kMaxBodyBytes = 64 << 20;

  struct Peer {
    std::string url;
    std::string ca;  // path; empty: the system's CAs
    std::string token;
    int timeout_s = 30;  // to connect, and of silence
  };
  explicit Http(Peer peer);
  ~Http();
  Http(Http&&) noexcept;

  const Peer& peer() const { return peer_; }
  // Any status is an answer. Failures: kUnreachable (with URL, CA file and what to do), kInterrupted, kUsage.
  Outcome<HttpAnswer> Send(const HttpRequest& request);

 private:
  struct Handle;
  Peer peer_;
  std::unique_ptr<Handle> handle_;
};

}  // namespace pawl::cli
