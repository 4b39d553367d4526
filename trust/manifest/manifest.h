// The signed manifest: pawl's profile of IETF SUIT, as data, and its one strict codec. Freestanding, no heap.
//
// Format  docs/spec/manifest.md (draft-ietf-suit-manifest-37, RFC 9052, RFC 9864, RFC 8949 section 4.2.1).
// Errors  malformed manifest, with the rule and the byte offset in the detail; unsupported encoding.
// Nothing here says that a manifest is genuine: trust/verify does.
#pragma once

#include "base/bounded.h"
#include "base/bytes.h"
#include "base/maybe.h"
#include "base/result.h"

namespace pawl {

inline constexpr std::size_t kMaxEnvelopeBytes = 8192;
inline constexpr std::size_t kMaxSignatures = 4;
inline constexpr std::size_t kChunkBytes = 65536;    // of the payload; the last chunk may be short
inline constexpr std::size_t kSuitDigestBytes = 36;  // [-16, h'32 bytes'] encoded: 82 2f 58 20 ...

// major.minor.patch, optionally -rc.n, -beta.n, -alpha.n.
struct Version {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::uint32_t patch = 0;
  enum class Stage : std::int8_t { kRelease = 0, kCandidate = -1, kBeta = -2, kAlpha = -3 } stage = Stage::kRelease;
  Maybe<std::uint32_t> stage_number = {};  // only with a stage
  friend bool operator==(const Version&, const Version&) = default;
};
BoundedText<48> ToText(const Version& version);       // "2.1.0", "2.1.0-rc.3"
Result<Version> ParseVersion(std::string_view text);  // strict inverse; errors: invalid argument
// Negative, 0 or positive, as SUIT compares: part by part, a missing part is 0, alpha < beta < rc < release.
int CompareVersions(const Version& a, const Version& b);

enum class PayloadFormat : std::uint8_t { kRaw = 0, kZstd = 1, kDelta = 2 };

// SUIT version match (parameter 28): the running version must stand in this relation to `version`.
struct VersionMatch {
  enum class Comparison : std::uint8_t { kGreater = 1, kGreaterEqual, kEqual, kLesserEqual, kLesser };
  Comparison comparison = Comparison::kEqual;
  Version version;
  friend bool operator==(const VersionMatch&, const VersionMatch&) = default;
};
bool Matches(const VersionMatch& match, const Version& running);

// Standard layout, each member at a multiple of 4: the template names them by their offsets. No `= {}` at the Maybes:
// with it g++ clears the struct member by member.
struct Manifest {
  std::uint64_t sequence = 0;  // < 2^53, per (tenant, class); the install rule
  Version version;
  Uuid vendor{};
  Uuid cls{};
  Digest image_digest{};
  std::uint64_t image_bytes = 0;         // >= 1
  Maybe<std::uint64_t> slot;             // the image runs only in this slot: 0 A, 1 B
  std::uint64_t security_version = 0;    // < 2^32; the boot floor
  std::uint64_t min_board_revision = 0;  // < 2^32
  std::uint32_t trial_budget_s = 0;      // >= 1
  Maybe<std::uint64_t> use_before;       // seconds since 1970
  Digest payload_digest{};               // in the ni: URI
  std::uint64_t payload_bytes = 0;       // >= 1; raw: payload and image are the same bytes
  Digest tree_root{};                    // RFC 9162 Merkle tree over kChunkBytes chunks of the payload
  PayloadFormat format = PayloadFormat::kRaw;
  Maybe<VersionMatch> version_match;
  Maybe<Digest> precursor;  // image digest of the delta's base; present iff format is kDelta
  Maybe<Digest> coswid;
  Maybe<Digest> text;
  Maybe<Digest> sbom;
  friend bool operator==(const Manifest&, const Manifest&) = default;
};

// The content of the manifest's bstr (without its header). Strict: anything the template lacks is an error.
Result<Manifest> DecodeManifest(ByteView manifest);
// Returns how many bytes were written. Errors: too large; invalid argument (a value the profile does not allow).
Result<std::size_t> EncodeManifest(const Manifest& manifest, MutableBytes to);

// One COSE_Sign1. Its protected header is exactly {1: -9, 4: kid}, so the kid says all of it.
struct SignatureBlock {
  KeyId kid{};
  Signature signature{};
};

// An envelope taken apart, nothing checked but its form (rules R1, R2, R4). Lifetime: views into the input.
struct EnvelopeView {
  Digest digest{};  // of its SUIT_Digest: identifies the manifest
  BoundedVec<SignatureBlock, kMaxSignatures> signatures;
  ByteView manifest_bstr;  // with its bstr header: what the digest covers
  ByteView manifest;       // its content
};
Result<EnvelopeView> DecodeEnvelope(ByteView envelope);

// Precondition: 1..kMaxSignatures signatures. `manifest` is what EncodeManifest wrote; `digest` is SHA-256 over
// WriteBstrHeader's bytes and `manifest`. Errors: too large.
Result<std::size_t> EncodeEnvelope(ByteView manifest, const Digest& digest, std::span<const SignatureBlock> signatures,
                                   MutableBytes to);

// The bytes that the digest covers: `manifest` behind its bstr header. Returns the header's size.
std::size_t WriteBstrHeader(std::size_t content_bytes, std::span<std::uint8_t, 9> to);

// The SUIT_Digest as it stands in an envelope and is signed: the payload of WriteSigStructure.
using SuitDigest = std::array<std::uint8_t, kSuitDigestBytes>;
SuitDigest EncodeSuitDigest(const Digest& digest);

// What is signed (RFC 9052 section 4.4): ["Signature1", protected, external_aad, payload], for alg -9 and this kid.
// Returns how many bytes were written. Precondition: `to` has room: kSigStructureOverhead + aad + payload.
// Up to the kid, the bytes are the same in each.
inline constexpr std::uint8_t kSigStructureBegin[] = {0x84, 0x6a, 'S', 'i',  'g',  'n', 'a',  't', 'u',
                                                      'r',  'e',  '1', 0x4d, 0xa2, 1,   0x28, 4,   0x48};
inline constexpr std::size_t kSigStructureOverhead = 64;
std::size_t WriteSigStructure(const KeyId& kid, ByteView external_aad, ByteView payload, MutableBytes to);

// --- The permit (docs/spec/protocol.md): leave to reboot into one image, once. ---

inline constexpr std::size_t kMaxPermitBytes = 512;
inline constexpr std::string_view kPermitAad = "pawl-permit-1";
inline constexpr std::uint32_t kMaxPermitLifeS = 600;

struct Permit {
  BoundedText<63> device;
  std::uint64_t job = 0;
  Digest manifest_digest{};
  Nonce nonce{};
  std::uint32_t use_within_s = 120;  // 1..kMaxPermitLifeS
  friend bool operator==(const Permit&, const Permit&) = default;
};
struct PermitView {
  ByteView payload_bstr;  // with its bstr header: as it is signed
  ByteView payload;
  SignatureBlock signature;
};
Result<PermitView> DecodePermitEnvelope(ByteView cose_sign1);
Result<Permit> DecodePermit(ByteView payload);
Result<std::size_t> EncodePermit(const Permit& permit, MutableBytes to);
Result<std::size_t> EncodePermitEnvelope(ByteView payload, const SignatureBlock& signature, MutableBytes to);

}  // namespace pawl
