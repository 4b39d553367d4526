// Owners of OpenSSL's objects.
#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <memory>

namespace pawl::sign {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Bn = std::unique_ptr<BIGNUM, Freed<BN_clear_free>>;
using BnCtx = std::unique_ptr<BN_CTX, Freed<BN_CTX_free>>;
using EcGroup = std::unique_ptr<EC_GROUP, Freed<EC_GROUP_free>>;
using EcPoint = std::unique_ptr<EC_POINT, Freed<EC_POINT_free>>;
using EvpKey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using EvpKeyCtx = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;
using X509Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;

}  // namespace pawl::sign
