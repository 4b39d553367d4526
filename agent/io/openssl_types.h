// OpenSSL's objects as values that free themselves. Only for .cc files of this folder.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

namespace pawl::agent {

template <auto Free>
struct Freed {
  void operator()(auto* object) const { Free(object); }
};
using BioPtr = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using PkeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;
using X509ReqPtr = std::unique_ptr<X509_REQ, Freed<X509_REQ_free>>;
using X509StorePtr = std::unique_ptr<X509_STORE, Freed<X509_STORE_free>>;
using SslCtxPtr = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;

}  // namespace pawl::agent
