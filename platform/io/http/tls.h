// TLS contexts of the platform's listeners. OpenSSL alone.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "platform/io/http/message.h"

struct ssl_ctx_st;
struct ssl_st;

namespace pawl::http {

struct TlsFiles {
  std::string certificate;  // PEM, with its chain
  std::string key;          // PEM
  // PEM. Who may sign client certificates; empty: none is asked for. A client may also come without one; with one that
  // this CA did not sign it is refused in the handshake. An expired one is let through: see PeerCertificate.
  std::string client_ca;
};

// TLS 1.2 or newer, no renegotiation, no compression. Immutable; a renewed certificate makes a new one.
class TlsContext {
 public:
  // Errors: tls error, naming the file.
  static Result<std::shared_ptr<const TlsContext>> Make(const TlsFiles& files);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ssl_ctx_st* get() const { return context_; }

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

// The client certificate of an established connection.
std::optional<PeerCertificate> PeerCertificateOf(const ssl_st* connection);

}  // namespace pawl::http
