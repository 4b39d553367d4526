// The crypto port on OpenSSL 3.
//
// SHA-256 uses the low-level functions: deprecated, but the only ones whose state lives in our object and not on the
// heap. ECDSA uses EVP.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <memory>
#include <new>
#include <type_traits>

#include "trust/crypto/crypto.h"
#include "trust/crypto/p256.h"

namespace pawl::crypto {
namespace {

template <auto kFree>
struct Free {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>>;

constexpr std::uint8_t kUncompressed = 4;
constexpr std::size_t kMaxDerSignatureBytes = 72;

// Null if the point is not on the curve. The hybrid form (06, 07) is as long, so the first byte is checked here.
Key LoadKey(const PublicKey& key) {
  if (key[0] != kUncompressed) return nullptr;
  std::array<std::uint8_t, kSpkiPrefix.size() + sizeof(PublicKey)> spki;
  std::ranges::copy(key, std::ranges::copy(kSpkiPrefix, spki.begin()).out);
  const std::uint8_t* at = spki.data();
  return Key(d2i_PUBKEY(nullptr, &at, static_cast<long>(spki.size())));
}

// EVP wants DER. Returns how many bytes were written, 0 if OpenSSL had no memory.
std::size_t ToDer(const Signature& signature, std::array<std::uint8_t, kMaxDerSignatureBytes>& der) {
  EcdsaSignature parts(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(signature.data(), 32, nullptr);
  BIGNUM* s = BN_bin2bn(signature.data() + 32, 32, nullptr);
  if (!parts || !r || !s || ECDSA_SIG_set0(parts.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return 0;
  }
  std::uint8_t* at = der.data();
  const int size = i2d_ECDSA_SIG(parts.get(), &at);
  return size > 0 ? static_cast<std::size_t>(size) : 0;
}

}  // namespace

static_assert(sizeof(SHA256_CTX) <= 160 && std::is_trivially_copyable_v<SHA256_CTX>);

Sha256::Sha256() { SHA256_Init(new (state_.data()) SHA256_CTX); }

void Sha256::Update(ByteView bytes) {
  SHA256_Update(std::launder(reinterpret_cast<SHA256_CTX*>(state_.data())), bytes.data(), bytes.size());
}

Digest Sha256::Finish() {
  Digest digest;
  SHA256_Final(digest.data(), std::launder(reinterpret_cast<SHA256_CTX*>(state_.data())));
  return digest;
}

bool VerifyP256(const PublicKey& key, const Digest& digest, const Signature& signature) {
  if (!IsP256Scalar(ByteView(signature).first(32)) || !IsP256Scalar(ByteView(signature).last(32))) return false;
  const Key loaded = LoadKey(key);
  if (!loaded) return false;
  std::array<std::uint8_t, kMaxDerSignatureBytes> der;
  const std::size_t der_bytes = ToDer(signature, der);
  const KeyContext context(EVP_PKEY_CTX_new(loaded.get(), nullptr));
  if (der_bytes == 0 || !context || EVP_PKEY_verify_init(context.get()) != 1) return false;
  return EVP_PKEY_verify(context.get(), der.data(), der_bytes, digest.data(), digest.size()) == 1;
}

}  // namespace pawl::crypto
