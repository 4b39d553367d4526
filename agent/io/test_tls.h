// A CA, certificates and a misbehaving HTTPS server on loopback, for this folder's tests.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/io/identity.h"
#include "agent/io/openssl_types.h"
#include "agent/io/tls.h"
#include "base/assert.h"

namespace pawl::agent {

class TestFolder {
 public:
  TestFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "pawl-agent-XXXXXX").string();
    PAWL_ASSERT(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A key with a certificate, signed by another one or by itself.
struct TestCertificate {
  PrivateKey key = PrivateKey::Generate().value();
  std::string pem;

  struct Spec {
    std::string name = "127.0.0.1";
    bool ca = false;
    std::int64_t not_before_s = -3600;  // from now
    std::int64_t not_after_s = 86'400;
  };
  static TestCertificate Make(const Spec& spec, const TestCertificate* issuer = nullptr) {
    TestCertificate made;
    auto* key = static_cast<EVP_PKEY*>(made.key.native());
    auto* issuer_key = issuer != nullptr ? static_cast<EVP_PKEY*>(issuer->key.native()) : key;
    const X509Ptr certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ::random());
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), spec.not_before_s);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), spec.not_after_s);
    SetName(X509_get_subject_name(certificate.get()), spec.name);
    if (issuer != nullptr) {
      const BioPtr bio(BIO_new_mem_buf(issuer->pem.data(), static_cast<int>(issuer->pem.size())));
      const X509Ptr parent(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
      X509_set_issuer_name(certificate.get(), X509_get_subject_name(parent.get()));
    } else {
      SetName(X509_get_issuer_name(certificate.get()), spec.name);
    }
    X509_set_pubkey(certificate.get(), key);
    Extend(certificate.get(), NID_basic_constraints, spec.ca ? "critical,CA:TRUE" : "CA:FALSE");
    if (!spec.ca) Extend(certificate.get(), NID_subject_alt_name, (IsAddress(spec.name) ? "IP:" : "DNS:") + spec.name);
    PAWL_ASSERT(X509_sign(certificate.get(), issuer_key, EVP_sha256()) > 0);
    const BioPtr out(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(out.get(), certificate.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(out.get(), &data);
    made.pem.assign(data, static_cast<std::size_t>(size));
    return made;
  }

 private:
  static bool IsAddress(const std::string& name) { return name.find_first_not_of("0123456789.") == std::string::npos; }
  static void SetName(X509_NAME* name, const std::string& text) {
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(text.c_str()), -1, -1,
                               0);
  }
  static void Extend(X509* certificate, int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    PAWL_ASSERT(extension != nullptr);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
};

struct TestRequest {
  std::string method;
  std::string path;
  std::string range;  // the header's value, "bytes=0-9"
  std::string if_range;
  std::string body;
  std::string client;  // the client certificate's CN, if it showed one
};

// Serves each connection in a thread of its own, one request a connection.
class TestServer {
 public:
  class Reply {
   public:
    explicit Reply(SSL* ssl, const std::atomic<bool>& stop) : ssl_(ssl), stop_(stop) {}
    bool Write(std::string_view bytes) {
      while (!bytes.empty() && !stop_) {
        const int n = SSL_write(ssl_, bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), 16384)));
        if (n <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(n));
      }
      return !stop_;
    }
    void Answer(int status, std::string_view headers, std::string_view body) {
      Write("HTTP/1.1 " + std::to_string(status) + " X\r\nConnection: close\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n" + std::string(headers) + "\r\n");
      Write(body);
    }
    // As a good server would: 206 or 200.
    void Range(const TestRequest& request, std::string_view content, std::string_view headers = "") {
      unsigned long long first = 0, last = 0;
      if (::sscanf(request.range.c_str(), "bytes=%llu-%llu", &first, &last) != 2) return Answer(200, headers, content);
      last = std::min<unsigned long long>(last, content.size() - 1);
      const std::string range = "Content-Range: bytes " + std::to_string(first) + "-" + std::to_string(last) + "/" +
                                std::to_string(content.size()) + "\r\n";
      Answer(206, range + std::string(headers), content.substr(first, last - first + 1));
    }
    bool stopped() const { return stop_; }

   private:
    SSL* ssl_;
    const std::atomic<bool>& stop_;
  };
  using Handler = std::function<void(const TestRequest&, Reply&)>;

  TestServer(const TestCertificate& certificate, const std::string& client_ca, Handler handler)
      : handler_(std::move(handler)), context_(SSL_CTX_new(TLS_server_method())) {
    ::signal(SIGPIPE, SIG_IGN);
    const BioPtr bio(BIO_new_mem_buf(certificate.pem.data(), static_cast<int>(certificate.pem.size())));
    const X509Ptr own(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    SSL_CTX_use_certificate(context_.get(), own.get());
    SSL_CTX_use_PrivateKey(context_.get(), static_cast<EVP_PKEY*>(certificate.key.native()));
    SSL_CTX_set_session_id_context(context_.get(), reinterpret_cast<const unsigned char*>("test"), 4);
    if (!client_ca.empty()) {
      const BioPtr ca_bio(BIO_new_mem_buf(client_ca.data(), static_cast<int>(client_ca.size())));
      const X509Ptr ca(PEM_read_bio_X509(ca_bio.get(), nullptr, nullptr, nullptr));
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), ca.get());
      SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    }
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    PAWL_ASSERT(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && ::listen(fd_, 64) == 0);
    socklen_t size = sizeof address;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    accepter_ = std::thread([this] { Accept(); });
  }
  ~TestServer() {
    stop_ = true;
    accepter_.join();
    for (std::thread& worker : workers_) worker.join();
    ::close(fd_);
  }
  std::string Url(std::string_view path) const {
    return "https://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }
  std::uint16_t port() const { return port_; }
  std::vector<TestRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void Accept() {
    while (!stop_) {
      pollfd ready{fd_, POLLIN, 0};
      if (::poll(&ready, 1, 20) <= 0) continue;
      const int connection = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection >= 0) workers_.emplace_back([this, connection] { Serve(connection); });
    }
  }
  void Serve(int connection) {
    const timeval limit{1, 0};
    ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    SSL* ssl = SSL_new(context_.get());
    SSL_set_fd(ssl, connection);
    if (SSL_accept(ssl) == 1) {
      TestRequest request;
      if (Read(ssl, request)) {
        {
          const std::lock_guard lock(mutex_);
          requests_.push_back(request);
        }
        Reply reply(ssl, stop_);
        handler_(request, reply);
        SSL_shutdown(ssl);
      }
    }
    SSL_free(ssl);
    ::close(connection);
  }
  static std::string Header(const std::string& head, const std::string& name) {
    const std::size_t at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const std::size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
  static bool Read(SSL* ssl, TestRequest& request) {
    std::string text;
    char buffer[4096];
    while (text.find("\r\n\r\n") == std::string::npos) {
      const int n = SSL_read(ssl, buffer, sizeof buffer);
      if (n <= 0) return false;
      text.append(buffer, static_cast<std::size_t>(n));
    }
    const std::size_t end = text.find("\r\n\r\n");
    const std::string head = text.substr(0, end + 2);
    const std::string length = Header(head, "Content-Length");
    request.body = text.substr(end + 4);
    while (!length.empty() && request.body.size() < std::stoul(length)) {
      const int n = SSL_read(ssl, buffer, sizeof buffer);
      if (n <= 0) return false;
      request.body.append(buffer, static_cast<std::size_t>(n));
    }
    const std::size_t space = head.find(' ');
    request.method = head.substr(0, space);
    request.path = head.substr(space + 1, head.find(' ', space + 1) - space - 1);
    request.range = Header(head, "Range");
    request.if_range = Header(head, "If-Range");
    const X509Ptr client(SSL_get1_peer_certificate(ssl));
    char name[256];
    if (client &&
        X509_NAME_get_text_by_NID(X509_get_subject_name(client.get()), NID_commonName, name, sizeof name) > 0) {
      request.client = name;
    }
    return true;
  }

  Handler handler_;
  SslCtxPtr context_;
  int fd_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread accepter_;
  std::vector<std::thread> workers_;
  mutable std::mutex mutex_;
  std::vector<TestRequest> requests_;
};

// A platform's CA with a server certificate for loopback, and a device's identity.
struct TestPlatform {
  TestCertificate ca = TestCertificate::Make({.name = "Test Server CA", .ca = true});
  TestCertificate server = TestCertificate::Make({}, &ca);
  TestCertificate device_ca = TestCertificate::Make({.name = "Test Device CA", .ca = true});
  TestCertificate device = TestCertificate::Make({.name = "dev-0001"}, &device_ca);

  TlsSettings Settings() const {
    TlsSettings settings;
    settings.cas = {ca.pem};
    settings.identity = DeviceIdentity{device.key, device.pem, ReadCertificate(device.pem).value()};
    settings.time_floor = static_cast<std::uint64_t>(::time(nullptr));
    settings.clock = settings.time_floor;
    return settings;
  }
  std::shared_ptr<const Tls> ClientTls() const { return std::make_shared<const Tls>(Settings()); }
};

}  // namespace pawl::agent
