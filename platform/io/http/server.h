// The HTTPS server: listeners, connections, limits. Beast and Asio stay behind this header.
//
// Threads    a few I/O threads move bytes; handlers run in worker threads: `workers` for buffered routes and event
//            sources, `upload_workers` for streamed ones, so that slow uploads hold up nobody else.
// Limits     everything below; what is over one is refused (431, 413, 503) or closed. A slow client meets a deadline in
//            every phase; when it passes the connection is closed without an answer.
// Lifetime   what handlers use outlives the server; Stop() returns when no handler runs any more.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "platform/io/http/message.h"
#include "platform/io/http/router.h"
#include "platform/io/http/tls.h"

namespace pawl::http {

struct ServerLimits {
  std::size_t io_threads = 2;
  std::size_t workers = 16;
  std::size_t upload_workers = 8;
  std::size_t queued_requests = 1024;  // over: 503
  std::size_t connections = 8192;      // over: closed at once
  std::size_t connections_per_peer = 2048;
  std::size_t event_streams = 256;  // and as many that wait (Response::wait); over: 503
  std::uint32_t header_bytes = 16384;
  std::uint64_t requests_per_connection = 10000;
  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds idle{75'000};       // between requests
  std::chrono::milliseconds header{10'000};     // from a header's first byte to its last
  std::chrono::milliseconds body{30'000};       // a buffered body; each read of a streamed one
  std::chrono::milliseconds write{30'000};      // each piece of an answer, at most 64 KiB
  std::uint64_t upload_bytes_per_s_min = 1024;  // on average, after the first 30 s
  std::chrono::milliseconds heartbeat{15'000};  // of event streams
  std::chrono::milliseconds drain{5'000};       // Stop() waits so long for answers on their way
};

// Told of each answer, from an I/O thread; must not block. `route` is the pattern, or "" where none matched.
struct Exchange {
  std::string_view route;
  std::string_view method;
  unsigned status = 0;
  double seconds = 0;
};

struct ServerCounters {
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;  // over a limit
  std::uint64_t handshakes_failed = 0;
  std::uint64_t connections = 0;    // open now
  std::uint64_t event_streams = 0;  // open now
  std::uint64_t queued = 0;         // requests that wait for a worker
};

struct Listener {
  std::string setting;  // for errors: "api_listen"
  std::string address;  // IPv4 or IPv6, as text
  std::uint16_t port = 0;
  const Router* router = nullptr;
};

class Server {
 public:
  explicit Server(ServerLimits limits, std::function<void(const Exchange&)> observer = {});
  ~Server();  // Stop()
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds. Before Start. Returns the port (another one if 0 was given).
  // Errors: invalid argument (the address), i/o error (taken, not allowed): each names the address and the setting.
  Result<std::uint16_t> Listen(const Listener& listener, std::shared_ptr<const TlsContext> tls);
  void Start();
  // For new connections from now on. Precondition: this setting was given to Listen.
  void Renew(std::string_view setting, std::shared_ptr<const TlsContext> tls);
  // Something happened: event sources and waiting handlers look again. From any thread; never blocks.
  void Wake();
  ServerCounters counters() const;
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::http
