// BearSSL's sources as they are, in one unit of compilation. On boards it is compiled with -fwhole-program: the
// compiler sees that one curve and one hash are ever asked for, and drops the rest (a fifth of the code,
// docs/adr/0008).

// The order matters.
// clang-format off
#include <inner.h>
#include "trust/crypto/bearssl/bearssl_p256.h"

#include <codec/ccopy.c>
#include <codec/dec32be.c>
#include <codec/enc32be.c>
#include <hash/sha2small.c>
#include <int/i31_add.c>
#include <int/i31_bitlen.c>
#include <int/i31_decmod.c>
#include <int/i31_decode.c>
#include <int/i31_encode.c>
#include <int/i31_fmont.c>
#include <int/i31_iszero.c>
#include <int/i31_modpow.c>
#include <int/i31_montmul.c>
#include <int/i31_muladd.c>
#include <int/i31_ninv31.c>
#include <int/i31_rshift.c>
#include <int/i31_sub.c>
#include <int/i31_tmont.c>
#include <int/i32_div32.c>
#include <ec/ec_secp256r1.c>
#include <ec/ec_secp384r1.c>
#include <ec/ec_secp521r1.c>
#include <ec/ecdsa_i31_bits.c>

// Inlined, so that the curve is a constant in there before any table is looked into.
static inline uint32_t api_muladd(unsigned char *A, const unsigned char *B, size_t len, const unsigned char *x, size_t xlen,
                                  const unsigned char *y, size_t ylen, int curve) __attribute__((always_inline));
// The curve code for any prime: 3.7 KiB smaller on a Cortex-M4 than BearSSL's own for P-256, and some milliseconds slower.
#include <ec/ec_prime_i31.c>
// Names that the file before leaves behind, and the one after uses otherwise.
#undef I31_LEN
#undef t1
#undef t2

uint32_t br_ecdsa_i31_vrfy_raw(const br_ec_impl *impl, const void *hash, size_t hash_len, const br_ec_public_key *pk,
                               const void *sig, size_t sig_len) __attribute__((always_inline));
// impl->muladd(...), called by its name: the same function, since there is only one.
#define muladd(a, b, len, x, xlen, y, ylen, curve) \
  supported_curves != 0 && api_muladd(a, b, len, x, xlen, y, ylen, BR_EC_secp256r1)
#include <ec/ecdsa_i31_vrfy_raw.c>
#undef muladd
// clang-format on

#define PAWL_EXPORT __attribute__((externally_visible))

// Without BearSSL's table of functions, which would keep SHA-224 too.
PAWL_EXPORT void pawl_sha256_init(br_sha256_context* context) {
  context->vtable = NULL;
  memcpy(context->val, br_sha256_IV, sizeof context->val);
  context->count = 0;
}

PAWL_EXPORT void pawl_sha256_update(br_sha256_context* context, const void* bytes, size_t size) {
  br_sha256_update(context, bytes, size);
}

PAWL_EXPORT void pawl_sha256_out(const br_sha256_context* context, unsigned char digest[32]) {
  br_sha256_out(context, digest);
}

PAWL_EXPORT int pawl_p256_verify(const unsigned char point[65], const unsigned char digest[32],
                                 const unsigned char signature[64]) {
  // The interface takes the point without const, and only reads it.
  const br_ec_public_key key = {.curve = BR_EC_secp256r1, .q = (unsigned char*)point, .qlen = 65};
  return br_ecdsa_i31_vrfy_raw(&br_ec_prime_i31, digest, 32, &key, signature, 64) == 1;
}
