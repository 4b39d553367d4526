#include "platform/io/http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <ctime>

#include "trust/crypto/crypto.h"

namespace pawl::http {
namespace {

constexpr char kCiphers12[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr unsigned char kSessionContext[] = "pawld";

std::unexpected<Error> TlsFailure(std::string_view what) {
  BoundedText<240> detail(what);
  if (const unsigned long code = ERR_peek_last_error(); code != 0) {
    char text[128];
    ERR_error_string_n(code, text, sizeof text);
    detail.append(": ").append(text);
  }
  ERR_clear_error();
  return std::unexpected<Error>(Error{Reason::kTls, detail});
}

// A device renews its certificate over the expired one; whether expiry matters is decided for each request.
int AcceptExpired(int ok, X509_STORE_CTX* store) {
  const int error = X509_STORE_CTX_get_error(store);
  const bool leaf = X509_STORE_CTX_get_error_depth(store) == 0;
  if (ok == 0 && leaf && error == X509_V_ERR_CERT_HAS_EXPIRED) {
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
  }
  return ok;
}

Status AskForClientCertificates(SSL_CTX* context, const std::string& ca) {
  if (SSL_CTX_load_verify_file(context, ca.c_str()) != 1) return TlsFailure("cannot read the device CA " + ca);
  STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(ca.c_str());
  if (names == nullptr) return TlsFailure("cannot read the device CA " + ca);
  SSL_CTX_set_client_CA_list(context, names);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, AcceptExpired);
  SSL_CTX_set_verify_depth(context, 2);
  return {};
}

Status Configure(SSL_CTX* context, const TlsFiles& files) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_set_cipher_list(context, kCiphers12) != 1) return TlsFailure("no TLS 1.2 ciphers");
  SSL_CTX_set_session_id_context(context, kSessionContext, sizeof kSessionContext - 1);
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1) {
    return TlsFailure("cannot read the certificate " + files.certificate);
  }
  if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return TlsFailure("cannot read the key " + files.key);
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    return TlsFailure("the key " + files.key + " does not belong to the certificate " + files.certificate);
  }
  if (!files.client_ca.empty()) PAWL_TRY(AskForClientCertificates(context, files.client_ca));
  return {};
}

std::int64_t Seconds(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  return timegm(&parts);
}

std::string CommonName(const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, index) >= 0) return {};
  const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index));
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
          static_cast<std::size_t>(ASN1_STRING_length(value))};
}

}  // namespace

Result<std::shared_ptr<const TlsContext>> TlsContext::Make(const TlsFiles& files) {
  ERR_clear_error();
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  if (context == nullptr) return TlsFailure("cannot make a TLS context");
  const std::shared_ptr<const TlsContext> made(new TlsContext(context));
  PAWL_TRY(Configure(context, files));
  return made;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

std::optional<PeerCertificate> PeerCertificateOf(const ssl_st* connection) {
  const X509* certificate = SSL_get0_peer_certificate(connection);
  if (certificate == nullptr) return std::nullopt;
  PeerCertificate peer;
  peer.common_name = CommonName(certificate);
  unsigned char* der = nullptr;
  const int bytes = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (bytes <= 0) return std::nullopt;
  peer.spki = crypto::Hash(ByteView(der, static_cast<std::size_t>(bytes)));
  OPENSSL_free(der);
  peer.not_before_s = Seconds(X509_get0_notBefore(certificate));
  peer.not_after_s = Seconds(X509_get0_notAfter(certificate));
  return peer;
}

}  // namespace pawl::http
