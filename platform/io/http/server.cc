#include "platform/io/http/server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <list>
#include <map>
#include <mutex>
#include <vector>

#include "base/assert.h"
#include "platform/io/http/connection.h"

namespace pawl::http {

class Server::Impl {
 public:
  Impl(const ServerLimits& limits, std::function<void(const Exchange&)> observer)
      : shared_(limits, std::move(observer)) {
    for (std::size_t i = 0; i < std::max<std::size_t>(limits.io_threads, 1); ++i) {
      threads_.push_back(std::make_unique<IoThread>());
    }
  }
  ~Impl() { Stop(); }

  Result<std::uint16_t> Listen(const Listener& listener, std::shared_ptr<const TlsContext> tls);
  void Start();
  void Renew(std::string_view setting, std::shared_ptr<const TlsContext> tls);
  void Wake() {
    for (const auto& thread : threads_) thread->WakeAll();
  }
  ServerCounters counters() const;
  void Stop();

 private:
  struct Port {
    Listener listener;
    std::unique_ptr<asio::ip::tcp::acceptor> acceptor;
    mutable std::mutex mutex;
    std::shared_ptr<const TlsContext> tls;
    std::shared_ptr<const TlsContext> tls_now() const {
      const std::scoped_lock lock(mutex);
      return tls;
    }
  };
  class PeerSlot;

  awaitable<void> Accept(Port& port);
  awaitable<void> Serve(IoThread& thread, Port& port, asio::ip::tcp::socket::native_handle_type socket,
                        asio::ip::tcp protocol, std::string address);

  ServerShared shared_;
  std::atomic<std::size_t> next_thread_{0};
  std::atomic<std::size_t> connections_{0};
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::mutex peers_mutex_;
  std::map<std::string, std::size_t> peers_;
  bool started_ = false;

  std::vector<std::unique_ptr<IoThread>> threads_;  // after the counters: coroutines use them to their end
  std::list<Port> ports_;
};

// One connection's share of its peer's limit.
class Server::Impl::PeerSlot {
 public:
  PeerSlot(Impl& server, const std::string& address) : server_(server), address_(address) {
    const std::scoped_lock lock(server_.peers_mutex_);
    taken_ = ++server_.peers_[address_] <= server_.shared_.limits.connections_per_peer;
  }
  ~PeerSlot() {
    const std::scoped_lock lock(server_.peers_mutex_);
    const auto found = server_.peers_.find(address_);
    if (--found->second == 0) server_.peers_.erase(found);
  }
  PeerSlot(const PeerSlot&) = delete;
  PeerSlot& operator=(const PeerSlot&) = delete;
  bool taken() const { return taken_; }

 private:
  Impl& server_;
  const std::string& address_;
  bool taken_ = false;
};

Result<std::uint16_t> Server::Impl::Listen(const Listener& listener, std::shared_ptr<const TlsContext> tls) {
  PAWL_ASSERT(!started_ && listener.router != nullptr);
  const std::string where =
      listener.address + ":" + std::to_string(listener.port) + " (setting " + listener.setting + ")";
  error_code error;
  const auto address = asio::ip::make_address(listener.address, error);
  if (error) return Fail(Reason::kInvalidArgument, "cannot listen on " + where + ": not an IP address");
  const asio::ip::tcp::endpoint endpoint(address, listener.port);
  auto acceptor = std::make_unique<asio::ip::tcp::acceptor>(threads_.front()->context);
  acceptor->open(endpoint.protocol(), error);
  if (!error) acceptor->set_option(asio::ip::tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor->bind(endpoint, error);
  if (!error) acceptor->listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    const std::string_view remedy =
        error == asio::error::address_in_use ? "; another program has this port: stop it or choose another port" : "";
    return Fail(Reason::kIo, "cannot listen on " + where + ": " + error.message() + std::string(remedy));
  }
  Port& port = ports_.emplace_back();
  port.listener = listener;
  port.acceptor = std::move(acceptor);
  port.tls = std::move(tls);
  return port.acceptor->local_endpoint().port();
}

awaitable<void> Server::Impl::Accept(Port& port) {
  asio::steady_timer pause(port.acceptor->get_executor());
  while (!shared_.stopping) {
    error_code error;
    asio::ip::tcp::endpoint peer;
    asio::ip::tcp::socket socket = co_await port.acceptor->async_accept(peer, Into(error));
    if (shared_.stopping) co_return;
    if (error) {  // no file descriptors left: those who are served will give some back
      pause.expires_after(std::chrono::milliseconds(50));
      error_code ignored;
      co_await pause.async_wait(Into(ignored));
      continue;
    }
    ++accepted_;
    error_code ignored;
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    IoThread& thread = *threads_[next_thread_++ % threads_.size()];
    const auto handle = socket.release(ignored);
    if (ignored) continue;
    asio::co_spawn(thread.context, Serve(thread, port, handle, peer.protocol(), peer.address().to_string()),
                   asio::detached);
  }
}

awaitable<void> Server::Impl::Serve(IoThread& thread, Port& port, asio::ip::tcp::socket::native_handle_type handle,
                                    asio::ip::tcp protocol, std::string address) {
  asio::ip::tcp::socket socket(thread.context, protocol, handle);
  const Slot slot(connections_, shared_.limits.connections);
  const PeerSlot peer_slot(*this, address);
  if (!slot.taken() || !peer_slot.taken()) {
    ++refused_;
    co_return;
  }
  co_await ServeConnection(shared_, thread, *port.listener.router, port.tls_now(), std::move(socket), address);
}

void Server::Impl::Start() {
  PAWL_ASSERT(!started_);
  started_ = true;
  for (Port& port : ports_) asio::co_spawn(threads_.front()->context, Accept(port), asio::detached);
  for (const auto& thread : threads_) thread->thread = std::jthread([context = &thread->context] { context->run(); });
}

void Server::Impl::Renew(std::string_view setting, std::shared_ptr<const TlsContext> tls) {
  for (Port& port : ports_) {
    if (port.listener.setting != setting) continue;
    const std::scoped_lock lock(port.mutex);
    port.tls = std::move(tls);
    return;
  }
  PAWL_ASSERT(false);
}

ServerCounters Server::Impl::counters() const {
  return {accepted_,
          refused_,
          shared_.handshakes_failed,
          connections_,
          shared_.event_streams,
          shared_.workers.queued() + shared_.upload_workers.queued()};
}

void Server::Impl::Stop() {
  if (shared_.stopping.exchange(true) || !started_) return;
  const auto each_thread = [&](auto action) {
    for (const auto& thread : threads_) asio::post(thread->context, [&thread, action] { action(*thread); });
  };
  asio::post(threads_.front()->context, [&] {
    for (Port& port : ports_) port.acceptor->close();
  });
  each_thread([](IoThread& thread) {
    for (beast::tcp_stream* stream : thread.idle) stream->cancel();
    for (Signal* sleeper : thread.sleepers) sleeper->Set();
  });
  const auto deadline = Clock::now() + shared_.limits.drain;
  while (connections_ > 0 && Clock::now() < deadline) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  each_thread([](IoThread& thread) {
    for (beast::tcp_stream* stream : thread.streams) stream->close();
  });
  shared_.workers.Stop();  // handlers of streamed routes end too: their connection is closed
  shared_.upload_workers.Stop();
  for (const auto& thread : threads_) {
    thread->work.reset();
    asio::post(thread->context, [&thread] { thread->context.stop(); });
  }
  for (const auto& thread : threads_) thread->thread.join();
}

Server::Server(ServerLimits limits, std::function<void(const Exchange&)> observer)
    : impl_(std::make_unique<Impl>(limits, std::move(observer))) {}
Server::~Server() = default;
Result<std::uint16_t> Server::Listen(const Listener& listener, std::shared_ptr<const TlsContext> tls) {
  return impl_->Listen(listener, std::move(tls));
}
void Server::Start() { impl_->Start(); }
void Server::Renew(std::string_view setting, std::shared_ptr<const TlsContext> tls) {
  impl_->Renew(setting, std::move(tls));
}
void Server::Wake() { impl_->Wake(); }
ServerCounters Server::counters() const { return impl_->counters(); }
void Server::Stop() { impl_->Stop(); }

}  // namespace pawl::http
