// Pieces of templates that the manifest, the envelope and the permit have in common. Private to trust/manifest.
#pragma once

#include "trust/manifest/manifest.h"
#include "trust/manifest/template.h"

// The place of a struct's member, and of the flag of one that is a Maybe.
#define PAWL_AT(Struct, member) ::pawl::templates::At(offsetof(Struct, member))
#define PAWL_FLAG(Struct, member) ::pawl::templates::At(offsetof(Struct, member) + decltype(Struct::member)::kFlagAt)

namespace pawl {

// SUIT_Digest = [-16, h'32 bytes'] (RFC 9054); the wrapped form stands in a bstr.
consteval auto SuitDigestPart(templates::Place digest) {
  return templates::Join(0x82, 0x2f, 0x58, 0x20, templates::Raw(digest, 32));
}
consteval auto WrappedSuitDigestPart(templates::Place digest) {
  return templates::Join(0x58, 0x24, SuitDigestPart(digest));
}

// 18([<< {1: -9, 4: kid} >>, {}, payload, signature]), in two parts: the payload stands between them. -9 is ESP256 (RFC
// 9864). R2: skipping the unprotected header generically would let bit flips through.
inline constexpr auto kSign1Begin =
    templates::Join(0xd2, 0x84, 0x4d, 0xa2, 1, 0x28, 4, 0x48, templates::Raw(PAWL_AT(SignatureBlock, kid), 8), 0xa0);
inline constexpr auto kSign1End = templates::Join(0x58, 0x40, templates::Raw(PAWL_AT(SignatureBlock, signature), 64));

}  // namespace pawl
