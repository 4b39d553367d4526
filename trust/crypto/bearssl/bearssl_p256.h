// What pawl takes of BearSSL: SHA-256 and the verification of ECDSA on P-256, compiled as one unit that knows nothing
// else. Freestanding, no heap. docs/adr/0008.
#pragma once

#include <bearssl.h>

#ifdef __cplusplus
extern "C" {
#endif

void pawl_sha256_init(br_sha256_context* context);
void pawl_sha256_update(br_sha256_context* context, const void* bytes, size_t size);
void pawl_sha256_out(const br_sha256_context* context, unsigned char digest[32]);

// 1 if r || s is a signature of the digest by this uncompressed point, else 0. BearSSL refuses a point that is not on
// the curve, any other form of a point, r and s from n on, and s = 0; r = 0 is the caller's to refuse.
int pawl_p256_verify(const unsigned char point[65], const unsigned char digest[32], const unsigned char signature[64]);

#ifdef __cplusplus
}
#endif
