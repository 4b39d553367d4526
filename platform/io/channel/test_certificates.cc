#include "platform/io/channel/test_certificates.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include <cstdio>

#include "base/assert.h"

namespace pawl::test {
namespace {

EVP_PKEY* Of(const Key& key) { return static_cast<EVP_PKEY*>(key.get()); }

using File = std::unique_ptr<std::FILE, decltype(&std::fclose)>;
File Create(const std::string& path) {
  File file(std::fopen(path.c_str(), "wb"), std::fclose);
  PAWL_ASSERT(file != nullptr);
  return file;
}

void Extend(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  PAWL_ASSERT(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

X509* Blank(const Key& key, const std::string& common_name, long life_s) {
  static long serial = 0;
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
  X509_gmtime_adj(X509_getm_notAfter(certificate), life_s);
  X509_set_pubkey(certificate, Of(key));
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.data()),
                             static_cast<int>(common_name.size()), -1, 0);
  return certificate;
}

}  // namespace

Key::Key() : key_(EVP_EC_gen("P-256"), [](void* key) { EVP_PKEY_free(static_cast<EVP_PKEY*>(key)); }) {
  PAWL_ASSERT(key_ != nullptr);
}

Digest Key::Pin() const {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(Of(*this), &der);
  PAWL_ASSERT(size > 0);
  Digest pin;
  SHA256(der, static_cast<std::size_t>(size), pin.data());
  OPENSSL_free(der);
  return pin;
}

void Key::Write(const std::string& path) const {
  PEM_write_PrivateKey(Create(path).get(), Of(*this), nullptr, nullptr, 0, nullptr, nullptr);
}

Authority::Authority(const std::string& name)
    : certificate_(Blank(key_, name, 3600), [](void* x509) { X509_free(static_cast<X509*>(x509)); }) {
  auto* certificate = static_cast<X509*>(certificate_.get());
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  Extend(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  Extend(certificate, certificate, NID_key_usage, "critical,keyCertSign");
  X509_sign(certificate, Of(key_), EVP_sha256());
}

void Authority::Write(const std::string& path) const {
  PEM_write_X509(Create(path).get(), static_cast<X509*>(certificate_.get()));
}

void Authority::Issue(const std::string& path, const Key& key, const std::string& common_name, const std::string& usage,
                      long life_s) const {
  auto* issuer = static_cast<X509*>(certificate_.get());
  X509* certificate = Blank(key, common_name, life_s);
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  Extend(certificate, issuer, NID_ext_key_usage, usage);
  if (usage == "serverAuth") Extend(certificate, issuer, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
  X509_sign(certificate, Of(key_), EVP_sha256());
  PEM_write_X509(Create(path).get(), certificate);
  X509_free(certificate);
}

}  // namespace pawl::test
