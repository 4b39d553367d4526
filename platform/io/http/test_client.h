// A blocking TLS client that sends exactly the bytes it is told to: for the tests of the server.
#pragma once

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace pawl::http::testing {

struct Answer {
  unsigned status = 0;
  std::string head;
  std::string body;
  std::string header(const std::string& name) const {
    const std::size_t at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const std::size_t start = at + name.size() + 4;
    return head.substr(start, head.find("\r\n", start) - start);
  }
};

struct ClientOptions {
  std::string certificate = {};  // PEM file; empty: none
  std::string key = {};
  int tls_max = 0;         // TLS1_1_VERSION, ...
  long timeout_ms = 5000;  // of each read and write: longer than any deadline of the server under test
};

class Client {
 public:
  explicit Client(std::uint16_t port, const ClientOptions& options = {}) {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    const timeval timeout{options.timeout_ms / 1000, options.timeout_ms % 1000 * 1000};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return;
    connected_ = true;
    context_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(context_, 0);  // so that an old version can be offered at all
    SSL_CTX_set_options(context_, SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (options.tls_max != 0) SSL_CTX_set_max_proto_version(context_, options.tls_max);
    if (!options.certificate.empty()) {
      SSL_CTX_use_certificate_chain_file(context_, options.certificate.c_str());
      SSL_CTX_use_PrivateKey_file(context_, options.key.c_str(), SSL_FILETYPE_PEM);
    }
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, socket_);
  }
  ~Client() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    if (socket_ >= 0) ::close(socket_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  int socket() const { return socket_; }
  bool Handshake() { return SSL_connect(ssl_) == 1; }
  bool Send(std::string_view bytes) {
    return SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size());
  }
  // What comes next; empty: the end, an error, or nothing in time.
  std::string Receive() {
    char piece[16384];
    const int n = SSL_read(ssl_, piece, sizeof piece);
    return n > 0 ? std::string(piece, static_cast<std::size_t>(n)) : std::string();
  }
  std::string ReceiveUntil(std::string_view text) {
    std::string all = std::move(rest_);
    rest_.clear();
    while (all.find(text) == std::string::npos) {
      const std::string more = Receive();
      if (more.empty()) break;
      all += more;
    }
    return all;
  }
  // True if the server closes the connection before `timeout_ms` of the options is over.
  bool IsClosed() {
    char byte = 0;
    const int n = SSL_read(ssl_, &byte, 1);
    const int error = SSL_get_error(ssl_, n);
    return n <= 0 && error != SSL_ERROR_WANT_READ;
  }
  bool IsClosedBeforeTls() {
    char byte = 0;
    const ssize_t n = ::recv(socket_, &byte, 1, 0);
    return n == 0 || (n < 0 && errno == ECONNRESET);
  }

  // The next answer; status 0: none.
  Answer ReadAnswer(bool has_body = true) {
    Answer answer;
    std::string all = ReceiveUntil("\r\n\r\n");
    const std::size_t end = all.find("\r\n\r\n");
    if (end == std::string::npos) return answer;
    answer.head = all.substr(0, end + 2);
    answer.body = all.substr(end + 4);
    answer.status = static_cast<unsigned>(std::atoi(answer.head.c_str() + 9));
    const std::string length = answer.header("Content-Length");
    const std::size_t want = length.empty() || !has_body ? 0 : static_cast<std::size_t>(std::atoll(length.c_str()));
    while (answer.body.size() < want) {
      const std::string more = Receive();
      if (more.empty()) break;
      answer.body += more;
    }
    if (answer.body.size() > want) {
      rest_ = answer.body.substr(want);
      answer.body.resize(want);
    }
    return answer;
  }

 private:
  int socket_ = -1;
  bool connected_ = false;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  std::string rest_;
};

}  // namespace pawl::http::testing
