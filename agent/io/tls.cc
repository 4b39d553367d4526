#include "agent/io/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#include <algorithm>

#include "agent/io/openssl_types.h"

namespace pawl::agent {
namespace {

std::unexpected<Error> TlsError(std::string_view what) {
  std::array<char, 160> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  Error error{Reason::kTls, what};
  error.detail.append(": ").append(text.data());
  return std::unexpected(error);
}

int SettingsIndex() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

const TlsSettings& SettingsOf(X509_STORE_CTX* store) {
  const auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  return *static_cast<const TlsSettings*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), SettingsIndex()));
}

// The verification's time is the floor, so a certificate made since then looks as if it were not yet valid.
bool ValidByNow(X509_STORE_CTX* store) {
  const TlsSettings& settings = SettingsOf(store);
  const bool clock_set = settings.clock >= settings.build_time;
  if (!clock_set) return true;
  time_t now = static_cast<time_t>(std::max(settings.clock, settings.time_floor));
  return X509_cmp_time(X509_get0_notBefore(X509_STORE_CTX_get_current_cert(store)), &now) < 0;
}

int Judge(int ok, X509_STORE_CTX* store) {
  if (ok == 1 || X509_STORE_CTX_get_error(store) != X509_V_ERR_CERT_NOT_YET_VALID || !ValidByNow(store)) return ok;
  X509_STORE_CTX_set_error(store, X509_V_OK);
  return 1;
}

Result<X509StorePtr> StoreOf(const std::vector<std::string>& pems) {
  X509StorePtr store(X509_STORE_new());
  for (const std::string& pem : pems) {
    const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    const X509Ptr ca(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!ca || X509_STORE_add_cert(store.get(), ca.get()) != 1) return TlsError("CA certificate");
  }
  return store;
}

Status UseIdentity(SSL_CTX* context, const DeviceIdentity& identity) {
  const BioPtr bio(BIO_new_mem_buf(identity.certificate.data(), static_cast<int>(identity.certificate.size())));
  const X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!certificate || SSL_CTX_use_certificate(context, certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, static_cast<EVP_PKEY*>(identity.key.native())) != 1) {
    return TlsError("device certificate");
  }
  return {};
}

}  // namespace

Status Tls::Configure(ssl_ctx_st* context) const {
  PAWL_ASSIGN(X509StorePtr store, StoreOf(settings_.cas));
  SSL_CTX_set_cert_store(context, store.release());
  if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) return TlsError("TLS version");
  X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(context), static_cast<time_t>(settings_.time_floor));
  SSL_CTX_set_ex_data(context, SettingsIndex(), const_cast<TlsSettings*>(&settings_));
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, Judge);
  if (settings_.identity) PAWL_TRY(UseIdentity(context, *settings_.identity));
  return {};
}

Result<std::shared_ptr<ssl_ctx_st>> Tls::MakeContext(const std::string& host) const {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), [](SSL_CTX* c) { SSL_CTX_free(c); });
  PAWL_TRY(Configure(context.get()));
  X509_VERIFY_PARAM* param = SSL_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (X509_VERIFY_PARAM_set1_ip_asc(param, host.c_str()) == 1) return context;
  ERR_clear_error();  // it is a name
  if (X509_VERIFY_PARAM_set1_host(param, host.c_str(), host.size()) != 1) return TlsError("host name");
  return context;
}

}  // namespace pawl::agent
