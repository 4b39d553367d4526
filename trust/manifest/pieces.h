// Pieces that the manifest, the envelope and the permit have in common. Private to trust/manifest.
#pragma once

#include "trust/manifest/cbor.h"
#include "trust/manifest/manifest.h"

namespace pawl {

inline constexpr std::int64_t kSha256Algorithm = -16;  // RFC 9054
inline constexpr std::int64_t kEsp256Algorithm = -9;   // RFC 9864
inline constexpr std::uint64_t kCoseSign1Tag = 18;

// SUIT_Digest = [-16, h'32 bytes']; the wrapped form stands in a bstr.
Digest ReadSuitDigest(cbor::Reader& reader);
Digest ReadWrappedSuitDigest(cbor::Reader& reader);
void WriteSuitDigest(cbor::Writer& writer, const Digest& digest);
void WriteWrappedSuitDigest(cbor::Writer& writer, const Digest& digest);

// The content of the protected header, {1: -9, 4: kid}, in its bstr.
KeyId ReadProtectedHeader(cbor::Reader& reader);
void WriteProtectedHeader(cbor::Writer& writer, const KeyId& kid);

// 18([protected, {}, payload, signature]): the payload is null, or a bstr if `payload` is given.
SignatureBlock ReadSign1(cbor::Reader& reader, ByteView* payload);
void WriteSign1(cbor::Writer& writer, const SignatureBlock& block, const ByteView* payload);

}  // namespace pawl
