// One HTTP exchange, as handlers see it: no type of a library.
//
// Units   sizes in bytes. Header names are lower case.
// Threads a handler runs in a worker thread and may block; it owns its Request for the call.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace pawl::http {

using Fields = std::vector<std::pair<std::string, std::string>>;

// The client certificate, its chain already held against the device CA. Its dates are the handler's to judge.
struct PeerCertificate {
  std::string common_name;
  Digest spki{};  // SHA-256 of the SubjectPublicKeyInfo
  std::int64_t not_before_s = 0;
  std::int64_t not_after_s = 0;
};
struct Peer {
  std::string address;
  std::optional<PeerCertificate> certificate;
};

// The body of a streamed request. Errors: i/o error (the client went away), timeout (too slow), too large.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  virtual Result<std::size_t> Read(MutableBytes to) = 0;  // 0: the end; precondition: `to` is not empty
};

struct Request {
  std::string method;
  std::string path;  // decoded
  Fields query;      // decoded
  Fields headers;
  Fields parameters;  // of the route's pattern: {id}
  Peer peer;
  std::string body;              // of a buffered route
  BodyReader* reader = nullptr;  // of a streamed route
  bool last_call = false;        // the time of Response::wait is over: answer now

  std::string_view header(std::string_view name) const;  // empty: none
  std::optional<std::string_view> query_value(std::string_view name) const;
  std::string_view parameter(std::string_view name) const;  // precondition: the route's pattern has it
};

// A part of an open file. `owner` keeps the descriptor open.
struct FileBody {
  std::shared_ptr<const void> owner;
  int fd = -1;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

// A stream of events (text/event-stream). Next is called in a worker thread at the start, after each Server::Wake and
// again until it returns nothing; what it returns is bounded by the source.
class EventSource {
 public:
  virtual ~EventSource() = default;
  virtual Result<std::string> Next() = 0;
};

// Exactly one of body, file, events, wait is used.
struct Response {
  unsigned status = 200;
  Fields headers = {};
  std::string body = {};
  std::optional<FileBody> file = {};
  std::shared_ptr<EventSource> events = {};
  // Nothing to say yet: call the handler again after the next Server::Wake, and with last_call when this time is over.
  std::optional<std::chrono::milliseconds> wait = {};

  Response& set(std::string name, std::string value) {
    headers.emplace_back(std::move(name), std::move(value));
    return *this;
  }
};
using Handler = std::function<Response(Request&)>;

// "Not Found" for 404.
std::string_view StatusText(unsigned status);

// --- The request target ---

inline constexpr std::size_t kMaxTargetBytes = 4096;
inline constexpr std::size_t kMaxQueryFields = 32;

struct Target {
  std::string path;
  Fields query;
};
// Decodes an origin-form target (RFC 9112, section 3.2.1). Errors: malformed (no leading '/', bad %, a NUL or control
// character, an encoded '/', a "." or ".." segment), too large.
Result<Target> ParseTarget(std::string_view target);

// --- Ranges (RFC 9110, section 14) ---

struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t bytes = 0;
};
enum class RangeKind : std::uint8_t { kWhole, kPart, kUnsatisfiable };
struct RangeDecision {
  RangeKind kind = RangeKind::kWhole;
  ByteRange range;
};
// What a Range header asks of `size` bytes. A malformed header, another unit or several ranges mean the whole.
RangeDecision DecideRange(std::string_view range, std::uint64_t size);
// True if an If-None-Match or If-Match list names this entity tag (which includes its quotes) or "*". `weak`: W/
// counts.
bool TagListHas(std::string_view list, std::string_view tag, bool weak);

// The answer to GET or HEAD of a file that never changes under its name: 200, 206, 304, 412 or 416.
Response FileResponse(const Request& request, FileBody whole, const std::string& tag, std::string_view content_type);

}  // namespace pawl::http
