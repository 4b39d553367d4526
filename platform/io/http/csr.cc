#include "platform/io/http/csr.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

namespace pawl::http {
namespace {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509_REQ* request) const { X509_REQ_free(request); }
};

bool IsP256(const EVP_PKEY* key) {
  char group[64];
  std::size_t n = 0;
  return EVP_PKEY_is_a(key, "EC") == 1 && EVP_PKEY_get_group_name(key, group, sizeof group, &n) == 1 &&
         std::string_view(group, n) == "prime256v1";
}

Result<PublicKey> PointOf(EVP_PKEY* key) {
  if (!IsP256(key)) return Fail(Reason::kInvalidArgument, "csr: the key is not an EC key on P-256");
  EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed");
  PublicKey point{};
  std::size_t n = 0;
  const int ok =
      EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point.data(), point.size(), &n);
  if (ok != 1 || n != point.size() || point[0] != 4)
    return Fail(Reason::kInvalidArgument, "csr: the key is not an EC key on P-256");
  return point;
}

Result<PublicKey> Parse(std::string_view pem) {
  const std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const std::unique_ptr<X509_REQ, Free> request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  if (request == nullptr) return Fail(Reason::kMalformed, "csr: not a PKCS #10 request in PEM");
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr) return Fail(Reason::kMalformed, "csr: its public key cannot be read");
  PAWL_ASSIGN(const PublicKey point, PointOf(key));
  if (X509_REQ_verify(request.get(), key) != 1)
    return Fail(Reason::kInvalidArgument, "csr: its self-signature does not hold");
  return point;
}

}  // namespace

Result<PublicKey> PublicKeyOfCsr(std::string_view pem) {
  if (pem.size() > kMaxCsrBytes) return Fail(Reason::kTooLarge, "csr: more than 3500 bytes");
  auto key = Parse(pem);
  ERR_clear_error();
  return key;
}

}  // namespace pawl::http
