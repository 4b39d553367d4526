#include "trust/manifest/pieces.h"

namespace pawl {
namespace {

using namespace templates;  // NOLINT(google-build-using-namespace): so that the tables read like the specification

// The template of docs/spec/manifest.md, once for reading and writing. 0x81.. heads an array, 0xa1.. a map, 0x41.. a
// bstr, 0x61.. a text; -16 is 0x2f, -257 0x39 1 0; a condition is its parameter's number and 15, a directive's
// policy 2.

#define AT(member) PAWL_AT(Manifest, member)
#define FLAG(member) PAWL_FLAG(Manifest, member)

// [major, minor, patch, ? stage, ? number]: a stage of 0, a release, is none.
consteval auto VersionPart(std::size_t version) {
  const Place stage = At(version + offsetof(Version, stage));
  const std::size_t number = version + offsetof(Version, stage_number);
  const Place numbered = At(number + Maybe<std::uint32_t>::kFlagAt);
  return Join(Count(0x83), Uint32(At(version + offsetof(Version, major))),
              Uint32(At(version + offsetof(Version, minor))), Uint32(At(version + offsetof(Version, patch))),
              Optional(stage, Small(stage, 0x20, 0x22)), Optional(numbered, Uint32(At(number))));
}

constexpr auto kShared = Bstr(                      //
    Parameters(0xa4),                               // [20, {
    1, 0x50, Raw(AT(vendor), 16),                   // 1: vendor,
    2, 0x50, Raw(AT(cls), 16),                      // 2: class,
    3, WrappedSuitDigestPart(AT(image_digest)),     // 3: << SUIT_Digest of the image >>,
    Optional(FLAG(slot), 5, Uint32Wide(AT(slot))),  // ? 5: slot,
    14, Uint53From1(AT(image_bytes)),               // 14: image bytes},
    1, 15, 2, 15, If(FLAG(slot), 5, 15));           // 1, 15, 2, 15, ?(5, 15)]

constexpr auto kValidate = Bstr(                     //
    0x88, 20, 0xa2,                                  // [20, {
    0x39, 1, 0, Uint32Wide(AT(security_version)),    // -257: security version,
    0x39, 1, 1, Uint32Wide(AT(min_board_revision)),  // -258: minimum board revision},
    0x39, 1, 0, 15, 0x39, 1, 1, 15, 3, 15);          // -257, 15, -258, 15, 3, 15]

constexpr auto kInvoke = Bstr(                                           //
    0x84, 20, 0xa1, 23, Bstr(0xa1, 1, Uint32From1(AT(trial_budget_s))),  // [20, {23: << {1: trial budget} >>},
    23, 2);                                                              // 23, 2]

static_assert(kChunkBytes == std::size_t{1} << 16);
constexpr auto kFetch = Bstr(                                //
    0xa3, 1, Uint53From1(AT(payload_bytes)),                 // {1: payload bytes,
    2, Small(AT(format), 0, 2),                              // 2: format,
    3, 0x83, 0x2f, 16, 0x58, 0x20, Raw(AT(tree_root), 32));  // 3: [-16, 16, tree root]}

constexpr auto kMatch = Bstr(                                                           //
    0x82, Small(AT(version_match), 1, 5),                                               // [comparison,
    VersionPart(offsetof(Manifest, version_match) + offsetof(VersionMatch, version)));  // version]

constexpr auto kInstall = Bstr(                                                   //
    Parameters(0xa2),                                                             // [20, {
    Optional(FLAG(use_before), 4, Uint53(AT(use_before))),                        // ? 4: use-before,
    21, 0x78, 57, Text("ni:///sha-256;"), Name(AT(payload_digest)),               // 21: uri,
    0x18, 25, kFetch,                                                             // 25: << fetch >>,
    Optional(FLAG(version_match), 0x18, 28, kMatch),                              // ? 28: << [comparison, version] >>,
    Optional(FLAG(precursor), 0x39, 1, 2, WrappedSuitDigestPart(AT(precursor))),  // ? -259: << SUIT_Digest >>},
    If(FLAG(use_before), 4, 15),                                                  // ?(4, 15),
    If(FLAG(version_match), 0x18, 28, 15),                                        // ?(28, 15),
    If(FLAG(precursor), 0x39, 1, 2, 15),                                          // ?(-259, 15),
    21, 2, 3, 15);                                                                // 21, 2, 3, 15]

constexpr auto kManifest = Template(                              //
    Count(0xa7),                                                  // {
    1, 1,                                                         // 1: 1,
    2, Uint53(AT(sequence)),                                      // 2: sequence number,
    3, Bstr(0xa2, 2, 0x81, 0x81, 0x41, 0, 4, kShared),            // 3: << {2: [[h'00']], 4: << shared >>} >>,
    6, Bstr(VersionPart(offsetof(Manifest, version))),            // 6: << version >>,
    7, kValidate,                                                 // 7: << validate >>,
    9, kInvoke,                                                   // 9: << invoke >>,
    Optional(FLAG(coswid), 14, SuitDigestPart(AT(coswid))),       // ? 14: SUIT_Digest,
    20, kInstall,                                                 // 20: << install >>,
    Optional(FLAG(text), 23, SuitDigestPart(AT(text))),           // ? 23: SUIT_Digest,
    Optional(FLAG(sbom), 0x39, 1, 0, SuitDigestPart(AT(sbom))));  // ? -257: SUIT_Digest}

#undef AT
#undef FLAG

// What the parts must say together.
void RequireConsistent(Reader& reader, const Manifest& manifest) {
  const bool delta = manifest.format == PayloadFormat::kDelta;
  reader.Require(delta == manifest.precursor.has_value(), "a precursor without a delta, or a delta without one (R4)");
  const bool same = manifest.payload_bytes == manifest.image_bytes && manifest.payload_digest == manifest.image_digest;
  reader.Require(manifest.format != PayloadFormat::kRaw || same, "a raw payload that is not the image (R4)");
}

}  // namespace

void ReadManifest(Reader& reader, Manifest& to) {
  reader.Read(kManifest, to);
  RequireConsistent(reader, to);
}

Result<Manifest> DecodeManifest(ByteView bytes) {
  Result<Manifest> manifest;
  Reader reader(bytes);
  ReadManifest(reader, *manifest);
  reader.Finish(manifest, Reason::kMalformedManifest, "manifest");
  return manifest;
}

Result<std::size_t> EncodeManifest(const Manifest& manifest, MutableBytes to) {
  Writer writer(to);
  writer.Write(kManifest, manifest);
  PAWL_ASSIGN(const std::size_t size, writer.Finish());
  // One place knows which values are allowed: the decoder.
  const Result<Manifest> check = DecodeManifest(to.first(size));
  if (!check) return Fail(Reason::kInvalidArgument, check.error().detail);
  return size;
}

}  // namespace pawl
