#include "platform/io/http/server.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/assert.h"
#include "platform/io/http/errors.h"
#include "platform/io/http/workers.h"

namespace pawl::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::awaitable;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Stream = asio::ssl::stream<beast::tcp_stream>;
using Parser = beast::http::request_parser<beast::http::buffer_body>;

constexpr std::size_t kFileChunkBytes = 65536;
constexpr std::size_t kBodyChunkBytes = 65536;
constexpr std::size_t kDrainBytesMax = 1 << 20;  // of a body that nobody wants, before the connection is closed
constexpr std::chrono::milliseconds kLinger{2000};
constexpr std::chrono::seconds kUploadGrace{30};

asio::redirect_error_t<std::decay_t<decltype(asio::use_awaitable)>> Into(error_code& error) {
  return asio::redirect_error(asio::use_awaitable, error);
}

// Wakes one coroutine of one I/O thread. Set is called in that thread.
class Signal {
 public:
  explicit Signal(const asio::any_io_executor& executor) : timer_(executor) {}
  void Set() {
    set_ = true;
    timer_.cancel();
  }
  // False: the deadline passed.
  awaitable<bool> WaitUntil(Clock::time_point deadline) {
    if (!set_) {
      timer_.expires_at(deadline);
      error_code ignored;
      co_await timer_.async_wait(Into(ignored));
    }
    co_return std::exchange(set_, false);
  }
  awaitable<void> Wait() {
    while (!co_await WaitUntil(Clock::time_point::max())) {
    }
  }

 private:
  asio::steady_timer timer_;
  bool set_ = false;
};

// One I/O thread. All but Post and WakeAll belongs to that thread.
struct IoThread {
  std::set<Signal*> sleepers;            // event streams and waiting handlers
  std::set<beast::tcp_stream*> streams;  // every open connection
  std::set<beast::tcp_stream*> idle;     // those between requests
  asio::io_context context{1};           // after the sets: its coroutines use them to their end
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::atomic<bool> wake_posted{false};
  std::jthread thread;

  void WakeAll() {
    if (wake_posted.exchange(true)) return;
    asio::post(context, [this] {
      wake_posted = false;
      for (Signal* sleeper : sleepers) sleeper->Set();
    });
  }
};

// Registers a pointer in a set for a scope.
template <class T>
class Registered {
 public:
  Registered(std::set<T*>& set, T* item) : set_(set), item_(item) { set_.insert(item_); }
  ~Registered() { set_.erase(item_); }
  Registered(const Registered&) = delete;
  Registered& operator=(const Registered&) = delete;

 private:
  std::set<T*>& set_;
  T* item_;
};

// Counts up to a limit, for a scope.
class Slot {
 public:
  Slot(std::atomic<std::size_t>& count, std::size_t max) : count_(count), taken_(++count <= max) {}
  ~Slot() { --count_; }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  bool taken() const { return taken_; }

 private:
  std::atomic<std::size_t>& count_;
  bool taken_;
};

// The body of a streamed request on its way from the I/O thread to a handler: one piece at a time, and only when the
// handler asks, so that a slow disk slows the client down.
class BodyPipe : public BodyReader {
 public:
  explicit BodyPipe(std::function<void()> wake_io) : wake_io_(std::move(wake_io)) {}

  // --- the handler's side ---
  Result<std::size_t> Read(MutableBytes to) override {
    PAWL_ASSERT(!to.empty());
    std::unique_lock lock(mutex_);
    if (begin_ == end_ && !ended_) {
      wanted_ = true;
      wake_io_();
      changed_.wait(lock, [&] { return begin_ != end_ || ended_; });
    }
    if (begin_ == end_) {
      if (error_) return std::unexpected(*error_);
      return std::size_t{0};
    }
    const std::size_t n = std::min(to.size(), end_ - begin_);
    std::copy_n(data_.begin() + static_cast<std::ptrdiff_t>(begin_), n, to.begin());
    begin_ += n;
    return n;
  }

  // --- the I/O thread's side ---
  bool TakeWanted() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(wanted_, false);
  }
  // Precondition: the handler wants a piece, so it does not look at the buffer.
  std::vector<std::uint8_t>& buffer() { return data_; }
  void Filled(std::size_t bytes) {
    {
      const std::scoped_lock lock(mutex_);
      begin_ = 0;
      end_ = bytes;
    }
    changed_.notify_one();
  }
  void End(std::optional<Error> error = std::nullopt) {
    {
      const std::scoped_lock lock(mutex_);
      ended_ = true;
      error_ = error;
    }
    changed_.notify_one();
  }

 private:
  std::function<void()> wake_io_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::uint8_t> data_ = std::vector<std::uint8_t>(kBodyChunkBytes);
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool wanted_ = false;
  bool ended_ = false;
  std::optional<Error> error_;
};

bool IsFieldSafe(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::string WriteHead(const Response& response, std::optional<std::uint64_t> length, bool close) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head.append(StatusText(response.status)).append("\r\n");
  for (const auto& [name, value] : response.headers) {
    if (IsFieldSafe(value)) head.append(name).append(": ").append(value).append("\r\n");
  }
  head.append("X-Content-Type-Options: nosniff\r\n");
  if (length) head.append("Content-Length: ").append(std::to_string(*length)).append("\r\n");
  if (close) head.append("Connection: close\r\n");
  return head.append("\r\n");
}

// A handler returns its errors. What a library throws all the same (out of memory) fails this request alone.
Response Call(const Route& route, Request& request) {
  try {
    return route.handler(request);
  } catch (const std::exception& exception) {
    return ErrorResponse(ErrorOf(Reason::kStorage, std::string("the request failed: ") + exception.what()));
  }
}

}  // namespace

class Server::Impl {
 public:
  Impl(const ServerLimits& limits, std::function<void(const Exchange&)> observer)
      : limits_(limits),
        observer_(std::move(observer)),
        workers_(limits.workers, limits.queued_requests),
        upload_workers_(limits.upload_workers, limits.upload_workers) {
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
  class Connection;
  class PeerSlot;

  awaitable<void> Accept(Port& port);
  awaitable<void> Serve(IoThread& thread, Port& port, asio::ip::tcp::socket::native_handle_type socket,
                        asio::ip::tcp protocol, std::string address);

  const ServerLimits limits_;
  const std::function<void(const Exchange&)> observer_;
  std::atomic<std::size_t> next_thread_{0};
  std::atomic<std::size_t> connections_{0};
  std::atomic<std::size_t> event_streams_{0};
  std::atomic<std::size_t> waiting_{0};
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> handshakes_failed_{0};
  std::mutex peers_mutex_;
  std::map<std::string, std::size_t> peers_;
  std::atomic<bool> stopping_{false};
  bool started_ = false;

  std::vector<std::unique_ptr<IoThread>> threads_;  // after the counters: coroutines use them to their end
  std::list<Port> ports_;
  Workers workers_;
  Workers upload_workers_;
};

// One connection's share of its peer's limit.
class Server::Impl::PeerSlot {
 public:
  PeerSlot(Impl& server, const std::string& address) : server_(server), address_(address) {
    const std::scoped_lock lock(server_.peers_mutex_);
    taken_ = ++server_.peers_[address_] <= server_.limits_.connections_per_peer;
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

// One TLS connection: its requests one after another.
class Server::Impl::Connection {
 public:
  Connection(Impl& server, IoThread& thread, const Port& port, asio::ip::tcp::socket socket, std::string address)
      : server_(server),
        thread_(thread),
        router_(*port.listener.router),
        tls_(port.tls_now()),
        tls_handle_(Borrow(*tls_)),
        stream_(beast::tcp_stream(std::move(socket)), tls_handle_) {
    peer_.address = std::move(address);
    buffer_.max_size(server.limits_.header_bytes + kBodyChunkBytes);
  }

  awaitable<void> Run();

 private:
  static asio::ssl::context Borrow(const TlsContext& tls) {
    SSL_CTX_up_ref(tls.get());
    return asio::ssl::context(tls.get());
  }
  beast::tcp_stream& tcp() { return beast::get_lowest_layer(stream_); }
  void ExpiresAfter(std::chrono::milliseconds time) { tcp().expires_after(time); }

  awaitable<bool> Handshake();
  awaitable<bool> WaitForRequest();
  awaitable<bool> ReadHeader();
  awaitable<void> Exchange();
  awaitable<Response> Answer(Request& request, const Route& route);
  awaitable<Response> AnswerBuffered(Request& request, const Route& route);
  awaitable<Response> AnswerStreamed(Request& request, const Route& route);
  awaitable<Response> CallUntilAnswered(Request& request, const Route& route);
  awaitable<std::optional<Response>> ReadBody(Request& request, const Route& route);
  awaitable<void> FeedPipe(BodyPipe& pipe, Clock::time_point started, std::uint64_t& received);
  bool TooSlow(Clock::duration elapsed, std::uint64_t received) const;
  awaitable<bool> ContinueIfExpected();
  awaitable<std::optional<Response>> CallWorker(const Route& route, Request& request);
  Result<Request> MakeRequest() const;

  awaitable<void> Send(Response response, bool head);
  awaitable<void> SendFile(const FileBody& file);
  awaitable<void> SendEvents(EventSource& events);
  awaitable<bool> Write(std::string_view bytes);
  awaitable<void> Close();

  Impl& server_;
  IoThread& thread_;
  const Router& router_;
  std::shared_ptr<const TlsContext> tls_;
  asio::ssl::context tls_handle_;
  Stream stream_;
  Peer peer_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  bool keep_ = true;
  std::string_view route_;
};

awaitable<void> Server::Impl::Connection::Run() {
  const Registered registered(thread_.streams, &tcp());
  if (!co_await Handshake()) {
    ++server_.handshakes_failed_;
    co_return;
  }
  peer_.certificate = PeerCertificateOf(stream_.native_handle());
  for (std::uint64_t i = 0; i < server_.limits_.requests_per_connection && keep_ && !server_.stopping_; ++i) {
    if (!co_await WaitForRequest()) break;
    co_await Exchange();
  }
  co_await Close();
}

awaitable<bool> Server::Impl::Connection::Handshake() {
  error_code error;
  ExpiresAfter(server_.limits_.handshake);
  co_await stream_.async_handshake(asio::ssl::stream_base::server, Into(error));
  co_return !error;
}

// The first byte of the next request may be long in coming; the rest may not.
awaitable<bool> Server::Impl::Connection::WaitForRequest() {
  if (buffer_.size() > 0) co_return true;
  const Registered idle(thread_.idle, &tcp());
  error_code error;
  ExpiresAfter(server_.limits_.idle);
  const std::size_t n = co_await stream_.async_read_some(buffer_.prepare(4096), Into(error));
  buffer_.commit(n);
  co_return !error;
}

awaitable<bool> Server::Impl::Connection::ReadHeader() {
  parser_.emplace();
  parser_->header_limit(server_.limits_.header_bytes);
  parser_->body_limit(boost::none);
  error_code error;
  ExpiresAfter(server_.limits_.header);
  co_await beast::http::async_read_header(stream_, buffer_, *parser_, Into(error));
  if (!error) co_return true;
  keep_ = false;
  if (error == beast::http::error::header_limit || error == beast::http::error::buffer_overflow) {
    co_await Send(
        ErrorResponse(431, ErrorOf(Reason::kTooLarge, "the request's header is over its limit of " +
                                                          std::to_string(server_.limits_.header_bytes) + " bytes")),
        false);
  } else if (error.category() == make_error_code(beast::http::error::bad_method).category() &&
             error != beast::http::error::end_of_stream && error != beast::http::error::partial_message) {
    co_await Send(ErrorResponse(400, ErrorOf(Reason::kMalformed, "not an HTTP/1.1 request: " + error.message())),
                  false);
  }
  co_return false;
}

Result<Request> Server::Impl::Connection::MakeRequest() const {
  const auto& message = parser_->get();
  PAWL_ASSIGN(Target target, ParseTarget({message.target().data(), message.target().size()}));
  Request request;
  request.method = std::string(message.method_string());
  request.path = std::move(target.path);
  request.query = std::move(target.query);
  request.peer = peer_;
  for (const auto& field : message) {
    std::string name(field.name_string());
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    request.headers.emplace_back(std::move(name), std::string(field.value()));
  }
  return request;
}

awaitable<void> Server::Impl::Connection::Exchange() {
  if (!co_await ReadHeader()) co_return;
  const auto started = Clock::now();
  keep_ = parser_->get().keep_alive();
  const bool head = parser_->get().method() == beast::http::verb::head;
  Result<Request> request = MakeRequest();
  Response response;
  route_ = {};
  if (!request) {
    response = ErrorResponse(400, request.error());
  } else {
    Router::Match match = router_.Find(request->method, request->path);
    if (match.route != nullptr) {
      route_ = match.route->pattern;
      request->parameters = std::move(match.parameters);
      response = co_await Answer(*request, *match.route);
    } else if (!match.allow.empty()) {
      response = ErrorResponse(
          405, ErrorOf(Reason::kInvalidArgument, request->method + " is not a method of " + request->path),
          "Use one of: " + match.allow + ".");
      response.set("Allow", match.allow);
    } else {
      response =
          ErrorResponse(404, ErrorOf(Reason::kNotFound, "no such path: " + request->path), "See api/openapi.yaml.");
    }
  }
  if (!parser_->is_done()) keep_ = false;  // the rest of the body is not read: it cannot be told from a next request
  const unsigned status = response.status;
  co_await Send(std::move(response), head);
  if (server_.observer_) {
    const std::chrono::duration<double> seconds = Clock::now() - started;
    const std::string method = request ? request->method : std::string();
    server_.observer_({route_, method, status, seconds.count()});
  }
}

awaitable<Response> Server::Impl::Connection::Answer(Request& request, const Route& route) {
  const auto length = parser_->content_length();
  if (length && *length > route.body_bytes_max) {
    co_return ErrorResponse(
        413, ErrorOf(Reason::kTooLarge, "the body has " + std::to_string(*length) + " bytes; the limit is " +
                                            std::to_string(route.body_bytes_max)));
  }
  if (route.body == BodyKind::kStreamed) co_return co_await AnswerStreamed(request, route);
  co_return co_await AnswerBuffered(request, route);
}

awaitable<bool> Server::Impl::Connection::ContinueIfExpected() {
  if (!beast::iequals(parser_->get()[beast::http::field::expect], "100-continue")) co_return true;
  co_return co_await Write("HTTP/1.1 100 Continue\r\n\r\n");
}

// The answer, if the body cannot be read.
awaitable<std::optional<Response>> Server::Impl::Connection::ReadBody(Request& request, const Route& route) {
  if (parser_->is_done()) co_return std::nullopt;
  if (!co_await ContinueIfExpected())
    co_return ErrorResponse(400, ErrorOf(Reason::kTruncated, "the body did not come"));
  ExpiresAfter(server_.limits_.body);
  std::array<char, 8192> piece;
  while (!parser_->is_done()) {
    auto& body = parser_->get().body();
    body.data = piece.data();
    body.size = piece.size();
    error_code error;
    co_await beast::http::async_read_some(stream_, buffer_, *parser_, Into(error));
    if (error == beast::http::error::need_buffer) error = {};
    if (error) co_return ErrorResponse(400, ErrorOf(Reason::kTruncated, "the body is not whole: " + error.message()));
    request.body.append(piece.data(), piece.size() - body.size);
    if (request.body.size() > route.body_bytes_max) {
      co_return ErrorResponse(413, ErrorOf(Reason::kTooLarge, "the body is over its limit of " +
                                                                  std::to_string(route.body_bytes_max) + " bytes"));
    }
  }
  co_return std::nullopt;
}

awaitable<Response> Server::Impl::Connection::AnswerBuffered(Request& request, const Route& route) {
  if (auto failed = co_await ReadBody(request, route)) co_return std::move(*failed);
  co_return co_await CallUntilAnswered(request, route);
}

Response TooBusy(std::string_view what) {
  return ErrorResponse(503, ErrorOf(Reason::kUnavailable, what), "Try again in a moment.");
}

awaitable<std::optional<Response>> Server::Impl::Connection::CallWorker(const Route& route, Request& request) {
  std::optional<Response> response;
  Signal done(thread_.context.get_executor());
  const bool posted = server_.workers_.Post([&] {
    response = Call(route, request);
    asio::post(thread_.context, [&done] { done.Set(); });
  });
  if (posted) co_await done.Wait();
  co_return response;
}

awaitable<Response> Server::Impl::Connection::CallUntilAnswered(Request& request, const Route& route) {
  Signal woken(thread_.context.get_executor());
  const Registered sleeper(thread_.sleepers, &woken);
  std::optional<Clock::time_point> deadline;
  std::optional<Slot> slot;
  tcp().expires_never();
  for (;;) {
    auto response = co_await CallWorker(route, request);
    if (!response) co_return TooBusy("too many requests wait already");
    if (!response->wait) co_return std::move(*response);
    PAWL_ASSERT(!request.last_call);
    if (!slot) slot.emplace(server_.waiting_, server_.limits_.event_streams);
    if (!slot->taken()) co_return TooBusy("too many clients wait for events already");
    if (!deadline) deadline = Clock::now() + *response->wait;
    const bool again = co_await woken.WaitUntil(*deadline);
    request.last_call = !again || server_.stopping_;
  }
}

// One piece of the body for the handler, or its end.
awaitable<void> Server::Impl::Connection::FeedPipe(BodyPipe& pipe, Clock::time_point started, std::uint64_t& received) {
  while (!parser_->is_done()) {
    auto& body = parser_->get().body();
    body.data = pipe.buffer().data();
    body.size = pipe.buffer().size();
    error_code error;
    ExpiresAfter(server_.limits_.body);
    co_await beast::http::async_read_some(stream_, buffer_, *parser_, Into(error));
    if (error == beast::http::error::need_buffer) error = {};
    const std::size_t n = pipe.buffer().size() - body.size;
    received += n;
    if (error == beast::error::timeout || TooSlow(Clock::now() - started, received)) {
      pipe.End(ErrorOf(Reason::kTimeout, "the upload is too slow"));
    } else if (error) {
      pipe.End(ErrorOf(Reason::kTruncated, "the upload was cut off: " + error.message()));
    } else if (n > 0) {
      pipe.Filled(n);
    } else {
      continue;  // a chunk's header came alone
    }
    co_return;
  }
  pipe.End();
}

bool Server::Impl::Connection::TooSlow(Clock::duration elapsed, std::uint64_t received) const {
  if (elapsed < kUploadGrace) return false;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(elapsed).count();
  return received / static_cast<std::uint64_t>(seconds) < server_.limits_.upload_bytes_per_s_min;
}

awaitable<Response> Server::Impl::Connection::AnswerStreamed(Request& request, const Route& route) {
  Signal signal(thread_.context.get_executor());
  BodyPipe pipe([&] { asio::post(thread_.context, [&signal] { signal.Set(); }); });
  request.reader = &pipe;
  std::optional<Response> response;
  const bool posted = server_.upload_workers_.Post([&] {
    asio::post(thread_.context, [&response, &signal, made = Call(route, request)]() mutable {
      response = std::move(made);
      signal.Set();
    });
  });
  if (!posted) co_return TooBusy("too many uploads at once");
  const auto started = Clock::now();
  std::uint64_t received = 0;
  bool first = true;
  while (!response) {
    co_await signal.Wait();
    if (response || !pipe.TakeWanted()) continue;
    if (std::exchange(first, false) && !co_await ContinueIfExpected()) {
      pipe.End(ErrorOf(Reason::kTruncated, "the client went away"));
    } else if (received > route.body_bytes_max) {
      pipe.End(ErrorOf(Reason::kTooLarge,
                       "the body is over its limit of " + std::to_string(route.body_bytes_max) + " bytes"));
    } else {
      co_await FeedPipe(pipe, started, received);
    }
  }
  request.reader = nullptr;
  co_return std::move(*response);
}

awaitable<bool> Server::Impl::Connection::Write(std::string_view bytes) {
  error_code error;
  while (!bytes.empty()) {  // in pieces, so that the deadline is one for each piece
    ExpiresAfter(server_.limits_.write);
    const std::string_view piece = bytes.substr(0, kFileChunkBytes);
    co_await asio::async_write(stream_, asio::buffer(piece.data(), piece.size()), Into(error));
    if (error) {
      keep_ = false;
      co_return false;
    }
    bytes.remove_prefix(piece.size());
  }
  co_return true;
}

awaitable<void> Server::Impl::Connection::Send(Response response, bool head) {
  std::optional<Slot> stream_slot;
  if (response.events) {
    stream_slot.emplace(server_.event_streams_, server_.limits_.event_streams);
    if (!stream_slot->taken()) response = TooBusy("too many event streams are open already");
  }
  if (response.events) {
    keep_ = false;
    if (co_await Write(WriteHead(response, std::nullopt, true))) co_await SendEvents(*response.events);
    co_return;
  }
  const bool bare = response.status == 204 || response.status == 304;
  const std::uint64_t length = response.file ? response.file->bytes : response.body.size();
  if (server_.stopping_) keep_ = false;
  std::string first = WriteHead(response, bare ? std::nullopt : std::optional(length), !keep_);
  const bool body = !head && !bare;
  if (body && !response.file) first += response.body;
  if (!co_await Write(first)) co_return;
  if (body && response.file) co_await SendFile(*response.file);
}

awaitable<void> Server::Impl::Connection::SendFile(const FileBody& file) {
  std::vector<char> chunk(kFileChunkBytes);
  std::uint64_t sent = 0;
  while (sent < file.bytes) {
    const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(chunk.size(), file.bytes - sent));
    const ssize_t n = ::pread(file.fd, chunk.data(), want, static_cast<off_t>(file.offset + sent));
    if (n <= 0) {  // the file is shorter than it was: the client sees a cut-off body, never wrong bytes
      keep_ = false;
      co_return;
    }
    if (!co_await Write({chunk.data(), static_cast<std::size_t>(n)})) co_return;
    sent += static_cast<std::uint64_t>(n);
  }
}

awaitable<void> Server::Impl::Connection::SendEvents(EventSource& events) {
  Signal woken(thread_.context.get_executor());
  const Registered sleeper(thread_.sleepers, &woken);
  while (!server_.stopping_) {
    Result<std::string> text{std::string()};
    Signal done(thread_.context.get_executor());
    const bool posted = server_.workers_.Post([&] {
      text = events.Next();
      asio::post(thread_.context, [&done] { done.Set(); });
    });
    if (!posted) co_return;
    co_await done.Wait();
    if (!text) co_return;
    if (!text->empty()) {
      if (!co_await Write(*text)) co_return;
      continue;
    }
    const bool again = co_await woken.WaitUntil(Clock::now() + server_.limits_.heartbeat);
    if (!again && !co_await Write(": heartbeat\n\n")) co_return;
  }
}

// Says goodbye. Reads a little of what still comes, so that the client sees our answer before it sees a reset.
awaitable<void> Server::Impl::Connection::Close() {
  error_code error;
  ExpiresAfter(kLinger);
  std::array<char, 8192> sink;
  if (parser_ && !parser_->is_done()) {
    for (std::size_t total = 0; total < kDrainBytesMax && !error;) {
      total += co_await stream_.async_read_some(asio::buffer(sink), Into(error));
    }
  }
  error = {};
  co_await stream_.async_shutdown(Into(error));
}

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
  while (!stopping_) {
    error_code error;
    asio::ip::tcp::endpoint peer;
    asio::ip::tcp::socket socket = co_await port.acceptor->async_accept(peer, Into(error));
    if (stopping_) co_return;
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
  const Slot slot(connections_, limits_.connections);
  const PeerSlot peer_slot(*this, address);
  if (!slot.taken() || !peer_slot.taken()) {
    ++refused_;
    co_return;
  }
  Connection connection(*this, thread, port, std::move(socket), address);
  co_await connection.Run();
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
  return {accepted_,    refused_,       handshakes_failed_,
          connections_, event_streams_, workers_.queued() + upload_workers_.queued()};
}

void Server::Impl::Stop() {
  if (stopping_.exchange(true) || !started_) return;
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
  const auto deadline = Clock::now() + limits_.drain;
  while (connections_ > 0 && Clock::now() < deadline) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  each_thread([](IoThread& thread) {
    for (beast::tcp_stream* stream : thread.streams) stream->close();
  });
  workers_.Stop();  // handlers of streamed routes end too: their connection is closed
  upload_workers_.Stop();
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
