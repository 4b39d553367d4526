#include "platform/main/server_certificate.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>

#include "base/hosted/files.h"

namespace pawl::platform {
namespace {

constexpr std::int64_t kBackdateS = 300;  // for clients whose clock is a little behind

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

Owned<X509> ParseCertificate(const std::string& pem) {
  const Owned<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Owned<X509>(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

Owned<EVP_PKEY> ParseKey(const std::string& pem) {
  const Owned<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Owned<EVP_PKEY>(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
}

std::int64_t Seconds(const ASN1_TIME* time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : 0;
}

struct Stored {
  Owned<X509> certificate;
  Owned<X509> ca;
  std::string problem;  // not empty: unusable
};
Stored Load(const ServerCertificateConfig& config, const std::string& ca_pem) {
  Stored stored;
  const auto certificate = ReadFile(config.certificate);
  const auto key_pem = ReadFile(config.key);
  if (!certificate || !key_pem) {
    stored.problem = "there is none yet";
    return stored;
  }
  stored.certificate = ParseCertificate(*certificate);
  stored.ca = ParseCertificate(ca_pem);
  const Owned<EVP_PKEY> key = ParseKey(*key_pem);
  if (!stored.certificate || !key || X509_check_private_key(stored.certificate.get(), key.get()) != 1) {
    stored.problem = "it does not belong to the key";
  } else if (!stored.ca || X509_verify(stored.certificate.get(), X509_get0_pubkey(stored.ca.get())) != 1) {
    stored.problem = "it is not signed by the server CA";
  }
  ERR_clear_error();
  return stored;
}

std::string MissingName(const ServerCertificateConfig& config, X509* certificate) {
  for (const std::string& name : config.dns_names) {
    if (X509_check_host(certificate, name.data(), name.size(), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr) != 1)
      return name;
  }
  for (const std::string& address : config.addresses) {
    if (X509_check_ip_asc(certificate, address.c_str(), 0) != 1) return address;
  }
  return {};
}

std::unexpected<Error> TlsFailure(std::string_view what) {
  char text[128];
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  return Fail(Reason::kTls, std::string(what) + ": " + text);
}

Result<std::string> KeyPem(const std::string& path) {
  if (FileExists(path)) return ReadFile(path);
  const Owned<EVP_PKEY> key(EVP_EC_gen("P-256"));
  const Owned<BIO> bio(BIO_new(BIO_s_mem()));
  if (!key || PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return TlsFailure("cannot make the server key");
  }
  char* data = nullptr;
  const long bytes = BIO_get_mem_data(bio.get(), &data);
  std::string pem(data, static_cast<std::size_t>(bytes));
  PAWL_TRY(WriteFileDurably(path, pem, 0600));
  return pem;
}

Result<PublicKey> PointOf(const std::string& pem, const std::string& path) {
  const Owned<EVP_PKEY> key = ParseKey(pem);
  PublicKey point{};
  std::size_t n = 0;
  if (!key ||
      EVP_PKEY_get_octet_string_param(key.get(), OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point.data(), point.size(), &n) !=
          1 ||
      n != point.size() || point[0] != 4) {
    ERR_clear_error();
    return Fail(Reason::kTls, path + " holds no P-256 key: move it away, then a new one is made");
  }
  return point;
}

}  // namespace

std::string WhyNewCertificate(const ServerCertificateConfig& config, const std::string& ca_pem, std::int64_t now_s) {
  const Stored stored = Load(config, ca_pem);
  if (!stored.problem.empty()) return stored.problem;
  const std::string missing = MissingName(config, stored.certificate.get());
  if (!missing.empty()) return "it lacks the name " + missing;
  const std::int64_t from = Seconds(X509_get0_notBefore(stored.certificate.get()));
  const std::int64_t to = Seconds(X509_get0_notAfter(stored.certificate.get()));
  if (now_s >= from + (to - from) / 3 * 2) return "two thirds of its life are over";
  return {};
}

bool IsUsable(const ServerCertificateConfig& config, const std::string& ca_pem, std::int64_t now_s) {
  const Stored stored = Load(config, ca_pem);
  return stored.problem.empty() && now_s < Seconds(X509_get0_notAfter(stored.certificate.get()));
}

Status NewCertificate(const ServerCertificateConfig& config, const std::string& ca_pem, std::int64_t now_s,
                      const ServerCertificateIssuer& issue) {
  PAWL_ASSIGN(const std::string key_pem, KeyPem(config.key));
  ServerCertificateFacts facts;
  PAWL_ASSIGN(facts.public_key, PointOf(key_pem, config.key));
  facts.dns_names = config.dns_names;
  facts.addresses = config.addresses;
  facts.not_before = static_cast<std::uint64_t>(now_s - kBackdateS);
  facts.not_after = static_cast<std::uint64_t>(now_s) + config.life_s;
  PAWL_ASSIGN(const Certificate issued, issue(facts));
  return WriteFileDurably(config.certificate, issued.pem + ca_pem, 0644);
}

}  // namespace pawl::platform
