// One connection of the server: its TLS, its requests one after another. Internal: includes Asio.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>

#include "platform/io/http/io_thread.h"
#include "platform/io/http/server.h"
#include "platform/io/http/workers.h"

namespace pawl::http {

// What all connections of a server share. Lifetime: longer than any of them.
struct ServerShared {
  ServerShared(const ServerLimits& server_limits, std::function<void(const Exchange&)> server_observer)
      : limits(server_limits),
        observer(std::move(server_observer)),
        workers(limits.workers, limits.queued_requests),
        upload_workers(limits.upload_workers, limits.upload_workers) {}

  const ServerLimits limits;
  const std::function<void(const Exchange&)> observer;
  std::atomic<std::size_t> event_streams{0};
  std::atomic<std::size_t> waiting{0};
  std::atomic<std::uint64_t> handshakes_failed{0};
  std::atomic<bool> stopping{false};
  Workers workers;
  Workers upload_workers;
};

// Runs in its I/O thread until the connection ends.
awaitable<void> ServeConnection(ServerShared& shared, IoThread& thread, const Router& router,
                                std::shared_ptr<const TlsContext> tls, asio::ip::tcp::socket socket,
                                std::string address);

}  // namespace pawl::http
