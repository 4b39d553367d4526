// The trust anchors: which public key may do what. Freestanding, no heap.
//
// Format  docs/spec/keys.md: deterministic CBOR, the same for ROM (version 1) and for later key sets.
#pragma once

#include <bit>

#include "base/bounded.h"
#include "base/bytes.h"
#include "base/maybe.h"
#include "base/result.h"

namespace pawl {

inline constexpr std::size_t kMaxKeys = 16;
inline constexpr std::size_t kMaxRevoked = 16;
inline constexpr std::size_t kMaxAnchorsBytes = 4096;

enum class Role : std::uint8_t { kRoot = 1, kImage = 2, kDirector = 4, kTlsRoot = 8 };  // bits

// Standard layout, each member at a multiple of 4: the template names them by their offsets.
struct Key {
  KeyId kid{};
  std::int8_t algorithm = -9;  // COSE: ESP256 (RFC 9864)
  alignas(4) PublicKey public_key{};
  alignas(4) std::uint8_t roles = 0;
  bool has(Role role) const { return (roles & static_cast<std::uint8_t>(role)) != 0; }
};

struct KeyTable {
  std::uint64_t version = 1;
  BoundedVec<Key, kMaxKeys> keys;
  std::array<std::uint8_t, 4> thresholds{2, 1, 1, 1};  // of root, image, director, tls-root
  BoundedVec<KeyId, kMaxRevoked> revoked;
  Maybe<std::uint64_t> expires;
};

// Strict. Each kid is the one that its key has, and stands once; alg is -9; a revoked kid loses all roles. Without the
// revoked ones: >= 3 root keys with a threshold of >= 2, and no threshold above the number of the role's keys. The
// thresholds of director and tls-root are 1 (a permit and a certificate carry one signature).
// Errors: malformed, with what is wrong.
Result<KeyTable> DecodeAnchors(ByteView anchors);
// Errors: invalid argument (a table that DecodeAnchors refuses), too large.
Result<std::size_t> EncodeAnchors(const KeyTable& table, MutableBytes to);

// The key that this kid names for this role. Errors: unknown key (also if revoked), wrong key role. Lifetime: into the
// table.
Result<const Key*> FindKey(const KeyTable& table, const KeyId& kid, Role role);
// True if the table lists this SubjectPublicKeyInfo (as its P-256 point) as a root of TLS.
bool IsTlsRoot(const KeyTable& table, const PublicKey& key);

// The key of this kid; null if there is none or it is revoked. Lifetime: into the table.
const Key* FindKid(const KeyTable& table, const KeyId& kid);

// How many distinct keys of this role must sign.
constexpr std::uint8_t Threshold(const KeyTable& table, Role role) {
  return table.thresholds[static_cast<std::size_t>(std::countr_zero(static_cast<std::uint8_t>(role)))];
}

// The index of the first of `count` elements, `stride` bytes from each other, that begins with this kid; none: `count`.
std::size_t IndexOf(const KeyId& kid, const void* first, std::size_t count, std::size_t stride);

// What stands in ROM beside the anchors, signed by nobody. Deterministic CBOR {1: vendor, 2: class, 3: board revision,
// 4: minimum security version}.
struct RomIdentity {
  Uuid vendor{};
  Uuid cls{};
  std::uint64_t board_revision = 0;
  std::uint64_t min_security_version = 0;
};
// Strict; both numbers are below 2^32. Errors: malformed; for the encoder invalid argument, too large.
Result<RomIdentity> DecodeRomIdentity(ByteView bytes);
Result<std::size_t> EncodeRomIdentity(const RomIdentity& identity, MutableBytes to);

}  // namespace pawl
