#include "platform/io/http/connection.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>

#include "base/assert.h"
#include "platform/io/http/body_pipe.h"
#include "platform/io/http/errors.h"

namespace pawl::http {
namespace {

using Stream = asio::ssl::stream<beast::tcp_stream>;
using Parser = beast::http::request_parser<beast::http::buffer_body>;

constexpr std::size_t kPieceBytes = 65536;       // of an answer
constexpr std::size_t kDrainBytesMax = 1 << 20;  // of a body that nobody wants, before the connection is closed
constexpr std::chrono::milliseconds kLinger{2000};
constexpr std::chrono::seconds kUploadGrace{30};

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

Response TooBusy(std::string_view what) {
  return ErrorResponse(503, ErrorOf(Reason::kUnavailable, what), "Try again in a moment.");
}

// One TLS connection: its requests one after another.
class Connection {
 public:
  Connection(ServerShared& shared, IoThread& thread, const Router& router, std::shared_ptr<const TlsContext> tls,
             asio::ip::tcp::socket socket, std::string address)
      : shared_(shared),
        thread_(thread),
        router_(router),
        tls_(std::move(tls)),
        tls_handle_(Borrow(*tls_)),
        stream_(beast::tcp_stream(std::move(socket)), tls_handle_) {
    peer_.address = std::move(address);
    buffer_.max_size(shared.limits.header_bytes + BodyPipe::kPieceBytes);
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

  ServerShared& shared_;
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

awaitable<void> Connection::Run() {
  const Registered registered(thread_.streams, &tcp());
  if (!co_await Handshake()) {
    ++shared_.handshakes_failed;
    co_return;
  }
  peer_.certificate = PeerCertificateOf(stream_.native_handle());
  for (std::uint64_t i = 0; i < shared_.limits.requests_per_connection && keep_ && !shared_.stopping; ++i) {
    if (!co_await WaitForRequest()) break;
    co_await Exchange();
  }
  co_await Close();
}

awaitable<bool> Connection::Handshake() {
  error_code error;
  ExpiresAfter(shared_.limits.handshake);
  co_await stream_.async_handshake(asio::ssl::stream_base::server, Into(error));
  co_return !error;
}

// The first byte of the next request may be long in coming; the rest may not.
awaitable<bool> Connection::WaitForRequest() {
  if (buffer_.size() > 0) co_return true;
  const Registered idle(thread_.idle, &tcp());
  error_code error;
  ExpiresAfter(shared_.limits.idle);
  const std::size_t n = co_await stream_.async_read_some(buffer_.prepare(4096), Into(error));
  buffer_.commit(n);
  co_return !error;
}

awaitable<bool> Connection::ReadHeader() {
  parser_.emplace();
  parser_->header_limit(shared_.limits.header_bytes);
  parser_->body_limit(boost::none);
  error_code error;
  ExpiresAfter(shared_.limits.header);
  co_await beast::http::async_read_header(stream_, buffer_, *parser_, Into(error));
  if (!error) co_return true;
  keep_ = false;
  if (error == beast::http::error::header_limit || error == beast::http::error::buffer_overflow) {
    co_await Send(
        ErrorResponse(431, ErrorOf(Reason::kTooLarge, "the request's header is over its limit of " +
                                                          std::to_string(shared_.limits.header_bytes) + " bytes")),
        false);
  } else if (error.category() == make_error_code(beast::http::error::bad_method).category() &&
             error != beast::http::error::end_of_stream && error != beast::http::error::partial_message) {
    co_await Send(ErrorResponse(400, ErrorOf(Reason::kMalformed, "not an HTTP/1.1 request: " + error.message())),
                  false);
  }
  co_return false;
}

Result<Request> Connection::MakeRequest() const {
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

awaitable<void> Connection::Exchange() {
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
  if (shared_.observer) {
    const std::chrono::duration<double> seconds = Clock::now() - started;
    const std::string method = request ? request->method : std::string();
    shared_.observer({route_, method, status, seconds.count()});
  }
}

awaitable<Response> Connection::Answer(Request& request, const Route& route) {
  const auto length = parser_->content_length();
  if (length && *length > route.body_bytes_max) {
    co_return ErrorResponse(
        413, ErrorOf(Reason::kTooLarge, "the body has " + std::to_string(*length) + " bytes; the limit is " +
                                            std::to_string(route.body_bytes_max)));
  }
  if (route.body == BodyKind::kStreamed) co_return co_await AnswerStreamed(request, route);
  co_return co_await AnswerBuffered(request, route);
}

awaitable<bool> Connection::ContinueIfExpected() {
  if (!beast::iequals(parser_->get()[beast::http::field::expect], "100-continue")) co_return true;
  co_return co_await Write("HTTP/1.1 100 Continue\r\n\r\n");
}

// The answer, if the body cannot be read.
awaitable<std::optional<Response>> Connection::ReadBody(Request& request, const Route& route) {
  if (parser_->is_done()) co_return std::nullopt;
  if (!co_await ContinueIfExpected())
    co_return ErrorResponse(400, ErrorOf(Reason::kTruncated, "the body did not come"));
  ExpiresAfter(shared_.limits.body);
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

awaitable<Response> Connection::AnswerBuffered(Request& request, const Route& route) {
  if (auto failed = co_await ReadBody(request, route)) co_return std::move(*failed);
  co_return co_await CallUntilAnswered(request, route);
}

awaitable<std::optional<Response>> Connection::CallWorker(const Route& route, Request& request) {
  std::optional<Response> response;
  Signal done(thread_.context.get_executor());
  const bool posted = shared_.workers.Post([&] {
    response = Call(route, request);
    asio::post(thread_.context, [&done] { done.Set(); });
  });
  if (posted) co_await done.Wait();
  co_return response;
}

awaitable<Response> Connection::CallUntilAnswered(Request& request, const Route& route) {
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
    if (!slot) slot.emplace(shared_.waiting, shared_.limits.event_streams);
    if (!slot->taken()) co_return TooBusy("too many clients wait for events already");
    if (!deadline) deadline = Clock::now() + *response->wait;
    const bool again = co_await woken.WaitUntil(*deadline);
    request.last_call = !again || shared_.stopping;
  }
}

// One piece of the body for the handler, or its end.
awaitable<void> Connection::FeedPipe(BodyPipe& pipe, Clock::time_point started, std::uint64_t& received) {
  while (!parser_->is_done()) {
    auto& body = parser_->get().body();
    body.data = pipe.buffer().data();
    body.size = pipe.buffer().size();
    error_code error;
    ExpiresAfter(shared_.limits.body);
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

bool Connection::TooSlow(Clock::duration elapsed, std::uint64_t received) const {
  if (elapsed < kUploadGrace) return false;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(elapsed).count();
  return received / static_cast<std::uint64_t>(seconds) < shared_.limits.upload_bytes_per_s_min;
}

awaitable<Response> Connection::AnswerStreamed(Request& request, const Route& route) {
  Signal signal(thread_.context.get_executor());
  BodyPipe pipe([&] { asio::post(thread_.context, [&signal] { signal.Set(); }); });
  request.reader = &pipe;
  std::optional<Response> response;
  const bool posted = shared_.upload_workers.Post([&] {
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

awaitable<bool> Connection::Write(std::string_view bytes) {
  error_code error;
  while (!bytes.empty()) {  // in pieces, so that the deadline is one for each piece
    ExpiresAfter(shared_.limits.write);
    const std::string_view piece = bytes.substr(0, kPieceBytes);
    co_await asio::async_write(stream_, asio::buffer(piece.data(), piece.size()), Into(error));
    if (error) {
      keep_ = false;
      co_return false;
    }
    bytes.remove_prefix(piece.size());
  }
  co_return true;
}

awaitable<void> Connection::Send(Response response, bool head) {
  std::optional<Slot> stream_slot;
  if (response.events) {
    stream_slot.emplace(shared_.event_streams, shared_.limits.event_streams);
    if (!stream_slot->taken()) response = TooBusy("too many event streams are open already");
  }
  if (response.events) {
    keep_ = false;
    if (co_await Write(WriteHead(response, std::nullopt, true))) co_await SendEvents(*response.events);
    co_return;
  }
  const bool bare = response.status == 204 || response.status == 304;
  const std::uint64_t length = response.file ? response.file->bytes : response.body.size();
  if (shared_.stopping) keep_ = false;
  std::string first = WriteHead(response, bare ? std::nullopt : std::optional(length), !keep_);
  const bool body = !head && !bare;
  if (body && !response.file) first += response.body;
  if (!co_await Write(first)) co_return;
  if (body && response.file) co_await SendFile(*response.file);
}

awaitable<void> Connection::SendFile(const FileBody& file) {
  std::vector<char> chunk(kPieceBytes);
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

awaitable<void> Connection::SendEvents(EventSource& events) {
  Signal woken(thread_.context.get_executor());
  const Registered sleeper(thread_.sleepers, &woken);
  while (!shared_.stopping) {
    Result<std::string> text{std::string()};
    Signal done(thread_.context.get_executor());
    const bool posted = shared_.workers.Post([&] {
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
    const bool again = co_await woken.WaitUntil(Clock::now() + shared_.limits.heartbeat);
    if (!again && !co_await Write(": heartbeat\n\n")) co_return;
  }
}

// Says goodbye. Reads a little of what still comes, so that the client sees our answer before it sees a reset.
awaitable<void> Connection::Close() {
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

}  // namespace

awaitable<void> ServeConnection(ServerShared& shared, IoThread& thread, const Router& router,
                                std::shared_ptr<const TlsContext> tls, asio::ip::tcp::socket socket,
                                std::string address) {
  Connection connection(shared, thread, router, std::move(tls), std::move(socket), std::move(address));
  co_await connection.Run();
}

}  // namespace pawl::http
