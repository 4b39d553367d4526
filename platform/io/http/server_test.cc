#include "platform/io/http/server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <mutex>
#include <thread>

#include "platform/io/channel/test_certificates.h"
#include "platform/io/http/test_client.h"

namespace pawl::http {
namespace {

using testing::Answer;
using testing::Client;
using testing::ClientOptions;
using namespace std::chrono_literals;

// A flag that one thread sets and another waits for.
class Flag {
 public:
  void Set() {
    {
      const std::scoped_lock lock(mutex_);
      set_ = true;
    }
    changed_.notify_all();
  }
  bool Wait(std::chrono::milliseconds within = 10s) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, within, [&] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

bool Eventually(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

// Gives what was put in last, once.
class FakeEvents : public EventSource {
 public:
  void Put(std::string text) {
    const std::scoped_lock lock(mutex_);
    waiting_ = std::move(text);
  }
  Result<std::string> Next() override {
    const std::scoped_lock lock(mutex_);
    return std::exchange(waiting_, {});
  }

 private:
  std::mutex mutex_;
  std::string waiting_;
};
class EndlessEvents : public EventSource {
 public:
  Result<std::string> Next() override { return std::string(60000, 'x'); }
};

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    std::signal(SIGPIPE, SIG_IGN);
    std::string path = ::testing::TempDir() + "pawl-http-XXXXXX";
    folder_ = ::mkdtemp(path.data());
    server_ca_.Issue(folder_ + "/server.pem", server_key_, "localhost", "serverAuth");
    server_key_.Write(folder_ + "/server.key");
    device_ca_.Write(folder_ + "/device-ca.pem");
    limits_.io_threads = 2;
    limits_.workers = 2;
    limits_.upload_workers = 1;
    limits_.handshake = limits_.idle = limits_.header = limits_.body = limits_.write = 300ms;
    limits_.heartbeat = 100ms;
    limits_.drain = 1000ms;
    AddRoutes();
  }
  ~ServerTest() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Add(std::string method, std::string pattern, Handler handler, BodyKind kind = BodyKind::kBuffered,
           std::uint64_t max = 100) {
    router_.Add({std::move(method), std::move(pattern), std::move(handler), kind, max});
  }

  void AddRoutes() {
    Add("GET", "/things/{id}", [](Request& request) {
      Response response;
      response.body =
          std::string(request.parameter("id")) + "?" + std::string(request.query_value("q").value_or("none"));
      return response.set("X-Evil", "a\r\nSet-Cookie: b").set("X-Good", "yes");
    });
    Add("POST", "/echo", [](Request& request) {
      Response response;
      response.body = request.body;
      return response;
    });
    Add("GET", "/peer", [](Request& request) {
      Response response;
      response.body = request.peer.certificate ? request.peer.certificate->common_name : "nobody";
      if (request.peer.certificate && request.peer.certificate->not_after_s < std::time(nullptr))
        response.body += " expired";
      return response;
    });
  }

  void Start() {
    TlsFiles files{folder_ + "/server.pem", folder_ + "/server.key", folder_ + "/device-ca.pem"};
    auto tls = TlsContext::Make(files);
    ASSERT_TRUE(tls) << tls.error().detail.view();
    server_ = std::make_unique<Server>(limits_, [this](const Exchange& exchange) { last_status_ = exchange.status; });
    const auto port = server_->Listen({"api_listen", "127.0.0.1", 0, &router_}, *tls);
    ASSERT_TRUE(port) << port.error().detail.view();
    port_ = *port;
    server_->Start();
  }

  Answer Ask(std::string_view request, const ClientOptions& options = {}) {
    Client client(port_, options);
    if (!client.Handshake() || !client.Send(request)) return {};
    return client.ReadAnswer();
  }

  std::string folder_;
  test::Authority server_ca_{"server ca"};
  test::Authority device_ca_{"device ca"};
  test::Key server_key_;
  ServerLimits limits_;
  Router router_;
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
  std::atomic<unsigned> last_status_{0};
};

TEST_F(ServerTest, AnswersARouteWithItsParametersAndQuery) {
  Start();
  const Answer answer = Ask("GET /things/a%20b?q=x+y HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "a b?x y");
}

TEST_F(ServerTest, AHeaderThatWouldSplitTheAnswerIsLeftOut) {
  Start();
  const Answer answer = Ask("GET /things/a HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(answer.header("X-Good"), "yes");
  EXPECT_EQ(answer.head.find("Set-Cookie"), std::string::npos);
  EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
}

TEST_F(ServerTest, OneConnectionCarriesSeveralRequestsEvenIfTheyComeTogether) {
  Start();
  Client client(port_);
  ASSERT_TRUE(client.Handshake());
  client.Send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\noneGET /things/two HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.ReadAnswer().body, "one");
  EXPECT_EQ(client.ReadAnswer().body, "two?none");
}

TEST_F(ServerTest, ASecondContentLengthIsRefused) {
  Start();
  EXPECT_EQ(Ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd").status, 400);
  EXPECT_EQ(
      Ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").status,
      400);
}

TEST_F(ServerTest, UnknownPathsAndMethodsAreToldApart) {
  Start();
  const Answer missing = Ask("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(missing.status, 404);
  EXPECT_NE(missing.body.find("no such path: /nothing"), std::string::npos);
  const Answer method = Ask("DELETE /echo HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.header("Allow"), "POST");
}

TEST_F(ServerTest, MalformedRequestsGetA400AndTheConnectionEnds) {
  Start();
  for (const char* request :
       {"nonsense\r\n\r\n", "GET /../x HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n"}) {
    EXPECT_EQ(Ask(request).status, 400) << request;
  }
}

TEST_F(ServerTest, AHeaderOverItsLimitIs431) {
  Start();
  const std::string request =
      "GET /peer HTTP/1.1\r\nHost: a\r\nX: " + std::string(limits_.header_bytes, 'x') + "\r\n\r\n";
  const Answer answer = Ask(request);
  EXPECT_EQ(answer.status, 431);
  EXPECT_NE(answer.body.find("16384"), std::string::npos);
}

TEST_F(ServerTest, ABodyOverItsLimitIs413WhetherItsLengthIsToldOrNot) {
  Start();
  EXPECT_EQ(Ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n").status, 413);
  std::string chunked = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 11; ++i) chunked += "a\r\n0123456789\r\n";
  EXPECT_EQ(Ask(chunked + "0\r\n\r\n").status, 413);
  EXPECT_EQ(Ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'x')).status, 200);
}

TEST_F(ServerTest, ASilentClientLosesItsConnectionInEveryPhase) {
  Start();
  Client silent(port_);
  EXPECT_TRUE(silent.IsClosedBeforeTls());
  Client idle(port_);
  ASSERT_TRUE(idle.Handshake());
  EXPECT_TRUE(idle.IsClosed());
  Client half_header(port_);
  ASSERT_TRUE(half_header.Handshake());
  half_header.Send("GET /peer HT");
  EXPECT_TRUE(half_header.IsClosed());
}

TEST_F(ServerTest, AHeaderSentByteByByteDoesNotOutliveItsDeadline) {
  limits_.header = 500ms;
  Start();
  Client client(port_, {.timeout_ms = 50});
  ASSERT_TRUE(client.Handshake());
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  bool closed = false;
  while (!closed && std::chrono::steady_clock::now() < deadline) closed = !client.Send("G") || client.IsClosed();
  EXPECT_TRUE(closed);
}

TEST_F(ServerTest, ABodyThatDoesNotComeCostsTheConnection) {
  Start();
  Client client(port_);
  ASSERT_TRUE(client.Handshake());
  client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nhalf");
  EXPECT_TRUE(client.IsClosed());
}

TEST_F(ServerTest, ConnectionsOverTheLimitAreClosedAtOnce) {
  limits_.connections = 2;
  limits_.idle = limits_.handshake = 30s;
  Start();
  Client first(port_), second(port_);
  ASSERT_TRUE(first.Handshake());
  ASSERT_TRUE(second.Handshake());
  Client third(port_);
  EXPECT_FALSE(third.Handshake());
  EXPECT_EQ(server_->counters().refused, 1U);
  EXPECT_EQ(server_->counters().connections, 2U);
}

TEST_F(ServerTest, OneAddressGetsOnlyItsShareOfTheConnections) {
  limits_.connections_per_peer = 1;
  limits_.idle = limits_.handshake = 30s;
  Start();
  Client first(port_);
  ASSERT_TRUE(first.Handshake());
  Client second(port_);
  EXPECT_FALSE(second.Handshake());
}

TEST_F(ServerTest, OldTlsIsRefused) {
  Start();
  EXPECT_FALSE(Client(port_, {.tls_max = TLS1_1_VERSION}).Handshake());
  EXPECT_TRUE(Client(port_, {.tls_max = TLS1_2_VERSION}).Handshake());
}

TEST_F(ServerTest, TheClientCertificateIsSeenIfTheDeviceCaSignedItAndEvenIfItExpired) {
  const test::Key key;
  key.Write(folder_ + "/key");
  device_ca_.Issue(folder_ + "/good", key, "dev-1", "clientAuth");
  device_ca_.Issue(folder_ + "/old", key, "dev-2", "clientAuth", -10);
  server_ca_.Issue(folder_ + "/foreign", key, "dev-3", "clientAuth");
  device_ca_.Issue(folder_ + "/server", key, "dev-4", "serverAuth");
  Start();
  const std::string request = "GET /peer HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_EQ(Ask(request).body, "nobody");
  EXPECT_EQ(Ask(request, {folder_ + "/good", folder_ + "/key"}).body, "dev-1");
  EXPECT_EQ(Ask(request, {folder_ + "/old", folder_ + "/key"}).body, "dev-2 expired");
  EXPECT_EQ(Ask(request, {folder_ + "/foreign", folder_ + "/key"}).status, 0);
  EXPECT_EQ(Ask(request, {folder_ + "/server", folder_ + "/key"}).status, 0);
}

TEST_F(ServerTest, ARenewedCertificateIsServedToNewConnections) {
  Start();
  const auto tls =
      TlsContext::Make({folder_ + "/server.pem", folder_ + "/server.key", ""});  // asks for no client certificate
  ASSERT_TRUE(tls);
  const test::Key key;
  key.Write(folder_ + "/key");
  device_ca_.Issue(folder_ + "/good", key, "dev-1", "clientAuth");
  server_->Renew("api_listen", *tls);
  EXPECT_EQ(Ask("GET /peer HTTP/1.1\r\nHost: a\r\n\r\n", {folder_ + "/good", folder_ + "/key"}).body, "nobody");
}

TEST_F(ServerTest, AFileIsSentInPartsAndHeadSendsNone) {
  const std::string path = folder_ + "/file";
  const std::string content(200'000, 'f');
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_EQ(::write(file, content.data(), content.size()), static_cast<ssize_t>(content.size()));
  const auto answer_file = [file](Request& request) {
    return FileResponse(request, {nullptr, file, 0, 200'000}, "\"tag\"", "text/plain");
  };
  Add("GET", "/file", answer_file);
  Add("HEAD", "/file", answer_file);
  Start();
  EXPECT_EQ(Ask("GET /file HTTP/1.1\r\nHost: a\r\n\r\n").body, content);
  const Answer part = Ask("GET /file HTTP/1.1\r\nHost: a\r\nRange: bytes=199990-\r\n\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "ffffffffff");
  EXPECT_EQ(part.header("Content-Range"), "bytes 199990-199999/200000");
  Client client(port_);
  ASSERT_TRUE(client.Handshake());
  client.Send("HEAD /file HTTP/1.1\r\nHost: a\r\n\r\nGET /things/next HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.ReadAnswer(false).header("Content-Length"), "200000");
  EXPECT_EQ(client.ReadAnswer().body, "next?none");
  ::close(file);
}

TEST_F(ServerTest, AFileThatBecameShorterCutsTheBodyOffInsteadOfPaddingIt) {
  const std::string path = folder_ + "/file";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_EQ(::write(file, "short", 5), 5);
  Add("GET", "/file",
      [file](Request& request) { return FileResponse(request, {nullptr, file, 0, 10}, "\"tag\"", "text/plain"); });
  Start();
  EXPECT_EQ(Ask("GET /file HTTP/1.1\r\nHost: a\r\n\r\n").body, "short");
  ::close(file);
}

TEST_F(ServerTest, AnEventStreamIsWokenAndShowsThatItLives) {
  const auto events = std::make_shared<FakeEvents>();
  Add("GET", "/events", [events](Request&) {
    Response response;
    response.events = events;
    return response;
  });
  events->Put("first\n\n");
  Start();
  Client client(port_);
  ASSERT_TRUE(client.Handshake());
  client.Send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(client.ReceiveUntil("first\n\n").find("first"), std::string::npos);
  EXPECT_NE(client.ReceiveUntil(": heartbeat").find("heartbeat"), std::string::npos);
  EXPECT_EQ(server_->counters().event_streams, 1U);
  events->Put("second\n\n");
  server_->Wake();
  EXPECT_NE(client.ReceiveUntil("second\n\n").find("second"), std::string::npos);
}

TEST_F(ServerTest, AClientThatDoesNotReadItsEventsIsDropped) {
  Add("GET", "/events", [](Request&) {
    Response response;
    response.events = std::make_shared<EndlessEvents>();
    return response;
  });
  Start();
  Client client(port_);
  ASSERT_TRUE(client.Handshake());
  client.Send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(Eventually([&] { return server_->counters().event_streams == 1; }));
  EXPECT_TRUE(Eventually([&] { return server_->counters().event_streams == 0; }));
}

TEST_F(ServerTest, EventStreamsOverTheLimitAre503) {
  limits_.event_streams = 1;
  Add("GET", "/events", [](Request&) {
    Response response;
    response.events = std::make_shared<FakeEvents>();
    return response;
  });
  Start();
  Client first(port_);
  ASSERT_TRUE(first.Handshake());
  first.Send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  first.ReceiveUntil("\r\n\r\n");
  const Answer second = Ask("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(second.status, 503);
  EXPECT_FALSE(second.header("Retry-After").empty());
}

TEST_F(ServerTest, AWaitingHandlerIsCalledAgainWhenWokenAndForTheLastTimeAtItsDeadline) {
  std::atomic<bool> there{false};
  std::atomic<int> calls{0};
  Add("GET", "/wait", [&](Request& request) {
    ++calls;
    Response response;
    if (there || request.last_call) {
      response.body = request.last_call ? "nothing" : "something";
    } else {
      response.wait = std::chrono::milliseconds(request.query_value("short") ? 50 : 20'000);
    }
    return response;
  });
  Start();
  EXPECT_EQ(Ask("GET /wait?short=1 HTTP/1.1\r\nHost: a\r\n\r\n").body, "nothing");
  calls = 0;
  Client client(port_);
  ASSERT_TRUE(client.Handshake());
  client.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(Eventually([&] { return calls == 1; }));
  there = true;
  server_->Wake();
  EXPECT_EQ(client.ReadAnswer().body, "something");
}

Response CountBytes(Request& request, std::atomic<int>& failures) {
  Response response;
  std::vector<std::uint8_t> piece(1000);
  std::size_t total = 0;
  for (;;) {
    const auto n = request.reader->Read(piece);
    if (!n) {
      ++failures;
      response.status = n.error().reason == Reason::kTooLarge ? 413 : 400;
      return response;
    }
    if (*n == 0) break;
    total += *n;
  }
  response.body = std::to_string(total);
  return response;
}

TEST_F(ServerTest, AStreamedBodyReachesTheHandlerWholeWithAndWithoutALength) {
  std::atomic<int> failures{0};
  Add(
      "POST", "/upload", [&](Request& request) { return CountBytes(request, failures); }, BodyKind::kStreamed,
      1'000'000);
  Start();
  const std::string content(500'000, 'u');
  EXPECT_EQ(Ask("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n" + content).body, "500000");
  EXPECT_EQ(
      Ask("POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
          .body,
      "7");
  EXPECT_EQ(Ask("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").body, "0");
  EXPECT_EQ(failures, 0);
}

TEST_F(ServerTest, AClientThatExpectsAContinueGetsIt) {
  std::atomic<int> failures{0};
  Add("POST", "/upload", [&](Request& request) { return CountBytes(request, failures); }, BodyKind::kStreamed, 1000);
  Start();
  Client client(port_);
  ASSERT_TRUE(client.Handshake());
  client.Send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReadAnswer().status, 100);
  client.Send("abc");
  EXPECT_EQ(client.ReadAnswer().body, "3");
}

TEST_F(ServerTest, AnUploadThatStopsOrStallsOrIsTooLongFailsItsHandler) {
  std::atomic<int> failures{0};
  Add("POST", "/upload", [&](Request& request) { return CountBytes(request, failures); }, BodyKind::kStreamed, 1000);
  Start();
  {
    Client client(port_);
    ASSERT_TRUE(client.Handshake());
    client.Send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\nabc");
  }  // gone
  EXPECT_TRUE(Eventually([&] { return failures == 1; }));
  EXPECT_EQ(Ask("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\nabc").status, 0);  // stalls
  EXPECT_TRUE(Eventually([&] { return failures == 2; }));
  std::string chunked = "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 101; ++i) chunked += "a\r\n0123456789\r\n";
  EXPECT_EQ(Ask(chunked + "0\r\n\r\n").status, 413);
  EXPECT_EQ(failures, 3);
}

TEST_F(ServerTest, AHandlerThatAnswersBeforeTheBodyCameIsHeardByTheClient) {
  Add(
      "POST", "/upload",
      [](Request&) {
        Response response;
        response.status = 401;
        response.body = "no";
        return response;
      },
      BodyKind::kStreamed, 10'000'000);
  Start();
  const Answer answer =
      Ask("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + std::string(300'000, 'x'));
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.body, "no");
  EXPECT_EQ(answer.header("Connection"), "close");
}

TEST_F(ServerTest, RequestsOverTheQueueAre503WhileTheOthersAreServed) {
  limits_.workers = 1;
  limits_.queued_requests = 1;
  Flag release;
  std::atomic<int> running{0};
  Add("GET", "/slow", [&](Request&) {
    ++running;
    release.Wait();
    return Response{.body = "done"};
  });
  Start();
  Client first(port_), second(port_);
  ASSERT_TRUE(first.Handshake());
  ASSERT_TRUE(second.Handshake());
  first.Send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(Eventually([&] { return running == 1; }));
  second.Send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(Eventually([&] { return server_->counters().queued == 1; }));
  EXPECT_EQ(Ask("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").status, 503);
  release.Set();
  EXPECT_EQ(first.ReadAnswer().body, "done");
  EXPECT_EQ(second.ReadAnswer().body, "done");
}

TEST_F(ServerTest, AHandlerThatThrowsFailsItsRequestAlone) {
  Add("GET", "/throw", [](Request&) -> Response { throw std::runtime_error("bad luck"); });
  Start();
  EXPECT_EQ(Ask("GET /throw HTTP/1.1\r\nHost: a\r\n\r\n").status, 500);
  EXPECT_EQ(Ask("GET /peer HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
}

TEST_F(ServerTest, ATakenPortIsNamedWithItsSetting) {
  Start();
  const auto tls = TlsContext::Make({folder_ + "/server.pem", folder_ + "/server.key", ""});
  Server other(limits_);
  const auto port = other.Listen({"device_listen", "127.0.0.1", port_, &router_}, *tls);
  ASSERT_FALSE(port);
  EXPECT_NE(port.error().detail.view().find("127.0.0.1:" + std::to_string(port_)), std::string_view::npos);
  EXPECT_NE(port.error().detail.view().find("device_listen"), std::string_view::npos);
}

TEST_F(ServerTest, StopEndsStreamsWaitersAndIdleConnectionsAndLetsAnAnswerFinish) {
  limits_.idle = limits_.write = 30s;
  limits_.drain = 10s;
  Flag entered;
  Flag release;
  Add("GET", "/slow", [&](Request&) {
    entered.Set();
    release.Wait();
    return Response{.body = "done"};
  });
  Add("GET", "/wait", [](Request& request) {
    Response response;
    if (!request.last_call) response.wait = 30s;
    return response;
  });
  Add("GET", "/events", [](Request&) { return Response{.events = std::make_shared<FakeEvents>()}; });
  Start();
  Client idle(port_), waiter(port_), stream(port_), slow(port_);
  for (Client* client : {&idle, &waiter, &stream, &slow}) ASSERT_TRUE(client->Handshake());
  waiter.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  stream.Send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  stream.ReceiveUntil("\r\n\r\n");
  slow.Send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(entered.Wait());
  std::jthread stopper([&] { server_->Stop(); });
  EXPECT_EQ(waiter.ReadAnswer().status, 200);
  EXPECT_TRUE(idle.IsClosed());
  release.Set();
  EXPECT_EQ(slow.ReadAnswer().body, "done");
}

}  // namespace
}  // namespace pawl::http
