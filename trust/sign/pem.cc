#include "trust/sign/pem.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "base/assert.h"
#include "trust/crypto/p256.h"
#include "trust/sign/openssl_types.h"

namespace pawl::sign {
namespace {

Bio Reading(std::string_view text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

// No prompt: a key behind a password is an error here.
int NoPassword(char*, int, int, void*) { return -1; }

std::string WritePrivate(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()));
  PAWL_ASSERT(PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

EvpKey ReadPrivate(std::string_view pem) {
  return EvpKey(PEM_read_bio_PrivateKey(Reading(pem).get(), nullptr, NoPassword, nullptr));
}

EvpKey ReadAny(std::string_view pem) {
  if (EvpKey key = ReadPrivate(pem)) return key;
  if (EvpKey key{PEM_read_bio_PUBKEY(Reading(pem).get(), nullptr, NoPassword, nullptr)}) return key;
  const X509Ptr certificate(PEM_read_bio_X509(Reading(pem).get(), nullptr, NoPassword, nullptr));
  return EvpKey(certificate ? X509_get_pubkey(certificate.get()) : nullptr);
}

}  // namespace

std::string PrivateKeyPem(const Digest& scalar, const PublicKey& public_key) {
  const std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>> builder(OSSL_PARAM_BLD_new());
  const Bn number(BN_bin2bn(scalar.data(), static_cast<int>(scalar.size()), nullptr));
  PAWL_ASSERT(OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1);
  PAWL_ASSERT(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, number.get()) == 1);
  PAWL_ASSERT(OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, public_key.data(),
                                               public_key.size()) == 1);
  const std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>> parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  const EvpKeyCtx context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  PAWL_ASSERT(EVP_PKEY_fromdata_init(context.get()) == 1);
  PAWL_ASSERT(EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, parameters.get()) == 1);
  return WritePrivate(EvpKey(key).get());
}

std::string NewPrivateKeyPem() {
  const EvpKey key(EVP_EC_gen("P-256"));
  PAWL_ASSERT(key != nullptr);
  return WritePrivate(key.get());
}

Result<Digest> PrivateScalarOfPem(std::string_view pem) {
  const EvpKey key = ReadPrivate(pem);
  BIGNUM* number = nullptr;
  if (!key || EVP_PKEY_get_bn_param(key.get(), OSSL_PKEY_PARAM_PRIV_KEY, &number) != 1) {
    return Fail(Reason::kMalformed, "no P-256 private key in PEM without a password");
  }
  const Bn owned(number);
  Digest scalar{};
  if (BN_bn2binpad(number, scalar.data(), static_cast<int>(scalar.size())) != static_cast<int>(scalar.size()) ||
      !crypto::IsP256Scalar(scalar) || !PublicKeyOfPem(pem)) {
    return Fail(Reason::kMalformed, "the private key is not on P-256");
  }
  return scalar;
}

Result<PublicKey> PublicKeyOfPem(std::string_view pem) {
  const EvpKey key = ReadAny(pem);
  unsigned char* spki = nullptr;
  const int size = key ? i2d_PUBKEY(key.get(), &spki) : 0;
  const std::unique_ptr<unsigned char, decltype([](unsigned char* p) { OPENSSL_free(p); })> owned(spki);
  PublicKey public_key;
  constexpr std::size_t kSpkiBytes = crypto::kSpkiPrefix.size() + public_key.size();
  if (size != static_cast<int>(kSpkiBytes) || !Equal(ByteView(spki, crypto::kSpkiPrefix.size()), crypto::kSpkiPrefix)) {
    return Fail(Reason::kMalformed, "no P-256 key in PEM, with an uncompressed point and without a password");
  }
  std::copy_n(spki + crypto::kSpkiPrefix.size(), public_key.size(), public_key.begin());
  return public_key;
}

}  // namespace pawl::sign
