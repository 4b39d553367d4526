#include "base/text.h"
#include "trust/manifest/pieces.h"

// The template of docs/spec/manifest.md, once for reading and once for writing.

namespace pawl {
namespace {

using cbor::Reader;
using cbor::Writer;

// Members of the manifest.
constexpr std::int64_t kManifestVersion = 1;
constexpr std::int64_t kSequenceNumber = 2;
constexpr std::int64_t kCommon = 3;
constexpr std::int64_t kSetVersion = 6;
constexpr std::int64_t kValidate = 7;
constexpr std::int64_t kInvoke = 9;
constexpr std::int64_t kCoswid = 14;
constexpr std::int64_t kInstall = 20;
constexpr std::int64_t kText = 23;
constexpr std::int64_t kSbom = -257;  // private
constexpr std::uint64_t kFixedMembers = 7;
// Members of common.
constexpr std::int64_t kComponents = 2;
constexpr std::int64_t kSharedSequence = 4;
// Directives.
constexpr std::int64_t kOverrideParameters = 20;
constexpr std::int64_t kFetchDirective = 21;
constexpr std::int64_t kInvokeDirective = 23;
// Parameters; a condition has its parameter's number.
constexpr std::int64_t kVendor = 1;
constexpr std::int64_t kClass = 2;
constexpr std::int64_t kImageMatch = 3;
constexpr std::int64_t kUseBefore = 4;
constexpr std::int64_t kSlot = 5;
constexpr std::int64_t kImageSize = 14;
constexpr std::int64_t kUri = 21;
constexpr std::int64_t kInvokeArguments = 23;
constexpr std::int64_t kFetchArguments = 25;
constexpr std::int64_t kVersionMatch = 28;
constexpr std::int64_t kSecurityVersion = -257;   // private
constexpr std::int64_t kMinBoardRevision = -258;  // private
constexpr std::int64_t kPrecursor = -259;         // private
// Reporting policies.
constexpr std::int64_t kReportAll = 15;
constexpr std::int64_t kReportFailure = 2;
// Members of the fetch arguments, and the tree: [algorithm, log2 of the chunk, root].
constexpr std::int64_t kPayloadBytes = 1;
constexpr std::int64_t kFormat = 2;
constexpr std::int64_t kTree = 3;
constexpr std::int64_t kChunkLog2 = 16;
static_assert(kChunkBytes == std::size_t{1} << kChunkLog2);
// Members of the invoke arguments.
constexpr std::int64_t kTrialBudget = 1;

constexpr std::array<std::uint8_t, 1> kComponentId = {0};
constexpr std::string_view kUriPrefix = "ni:///sha-256;";
constexpr std::size_t kUriDigestChars = Base64UrlSize(sizeof(Digest));

// --- Reading ---

void ReadCommand(Reader& reader, std::int64_t command, std::int64_t policy) {
  reader.Expect(command);
  reader.Expect(policy);
}

std::uint32_t ReadUint32(Reader& reader) { return static_cast<std::uint32_t>(reader.Uint(cbor::kMaxUint32)); }

// [major, minor, patch, ?stage, ?stage number]
Version ReadVersion(Reader& reader) {
  Version version;
  const std::uint64_t parts = reader.Array();
  reader.Require(parts >= 3 && parts <= 5, "not a version of 3 to 5 parts (R4)");
  version.major = ReadUint32(reader);
  version.minor = ReadUint32(reader);
  version.patch = ReadUint32(reader);
  if (parts < 4 || !reader.ok()) return version;
  using enum Version::Stage;
  version.stage = reader.Take(-1) ? kCandidate : reader.Take(-2) ? kBeta : kAlpha;
  if (version.stage == kAlpha) reader.Expect(-3);
  if (parts == 5) version.stage_number = ReadUint32(reader);
  return version;
}

Version ReadSetVersion(Reader& reader) {
  const std::size_t outer = reader.Enter();
  const Version version = ReadVersion(reader);
  reader.Leave(outer);
  return version;
}

void ReadSharedSequence(Reader& reader, Manifest& manifest) {
  const std::size_t outer = reader.Enter();
  const std::uint64_t items = reader.Array();
  reader.Expect(kOverrideParameters);
  const std::uint64_t parameters = reader.Map();
  reader.Expect(kVendor);
  reader.Fixed(manifest.vendor);
  reader.Expect(kClass);
  reader.Fixed(manifest.cls);
  reader.Expect(kImageMatch);
  manifest.image_digest = ReadWrappedSuitDigest(reader);
  if (reader.Take(kSlot)) manifest.slot = reader.Uint(cbor::kMaxUint32);
  reader.Expect(kImageSize);
  manifest.image_bytes = reader.Uint(cbor::kMaxUint53);
  const std::uint64_t optional = manifest.slot ? 1 : 0;
  reader.Require(parameters == 4 + optional, "another number of parameters than the template's (R4)");
  ReadCommand(reader, kVendor, kReportAll);
  ReadCommand(reader, kClass, kReportAll);
  if (manifest.slot) ReadCommand(reader, kSlot, kReportAll);
  reader.Require(items == 6 + 2 * optional, "another number of commands than the template's (R4)");
  reader.Leave(outer);
}

void ReadCommon(Reader& reader, Manifest& manifest) {
  const std::size_t outer = reader.Enter();
  reader.Map(2);
  reader.Expect(kComponents);
  reader.Array(1);
  reader.Array(1);
  std::array<std::uint8_t, 1> component{};
  reader.Fixed(component);
  reader.Require(component == kComponentId, "another component than h'00' (R4)");
  reader.Expect(kSharedSequence);
  ReadSharedSequence(reader, manifest);
  reader.Leave(outer);
}

void ReadValidate(Reader& reader, Manifest& manifest) {
  const std::size_t outer = reader.Enter();
  reader.Array(8);
  reader.Expect(kOverrideParameters);
  reader.Map(2);
  reader.Expect(kSecurityVersion);
  manifest.security_version = reader.Uint(cbor::kMaxUint32);
  reader.Expect(kMinBoardRevision);
  manifest.min_board_revision = reader.Uint(cbor::kMaxUint32);
  ReadCommand(reader, kSecurityVersion, kReportAll);
  ReadCommand(reader, kMinBoardRevision, kReportAll);
  ReadCommand(reader, kImageMatch, kReportAll);
  reader.Leave(outer);
}

void ReadInvoke(Reader& reader, Manifest& manifest) {
  const std::size_t outer = reader.Enter();
  reader.Array(4);
  reader.Expect(kOverrideParameters);
  reader.Map(1);
  reader.Expect(kInvokeArguments);
  const std::size_t arguments = reader.Enter();
  reader.Map(1);
  reader.Expect(kTrialBudget);
  manifest.trial_budget_s = ReadUint32(reader);
  reader.Leave(arguments);
  ReadCommand(reader, kInvokeDirective, kReportFailure);
  reader.Leave(outer);
}

void ReadUri(Reader& reader, Manifest& manifest) {
  std::string_view uri = reader.Text();
  const bool named = uri.size() == kUriPrefix.size() + kUriDigestChars && uri.starts_with(kUriPrefix);
  reader.Require(named, "not an ni:///sha-256; name (R4)");
  if (!reader.ok()) return;
  uri.remove_prefix(kUriPrefix.size());  // substr would bring in an exception
  reader.Require(Base64UrlDecode(uri, manifest.payload_digest).has_value(), "not an ni:///sha-256; name (R4)");
}

void ReadFetchArguments(Reader& reader, Manifest& manifest) {
  const std::size_t outer = reader.Enter();
  reader.Map(3);
  reader.Expect(kPayloadBytes);
  manifest.payload_bytes = reader.Uint(cbor::kMaxUint53);
  reader.Expect(kFormat);
  manifest.format = static_cast<PayloadFormat>(reader.Uint(static_cast<std::uint64_t>(PayloadFormat::kDelta)));
  reader.Expect(kTree);
  reader.Array(3);
  reader.Expect(kSha256Algorithm);
  reader.Expect(kChunkLog2);
  reader.Fixed(manifest.tree_root);
  reader.Leave(outer);
}

VersionMatch ReadVersionMatch(Reader& reader) {
  VersionMatch match;
  const std::size_t outer = reader.Enter();
  reader.Array(2);
  const std::uint64_t comparison = reader.Uint(static_cast<std::uint64_t>(VersionMatch::Comparison::kLesser));
  reader.Require(comparison >= 1, "not a version comparison (R4)");
  match.comparison = static_cast<VersionMatch::Comparison>(comparison);
  match.version = ReadVersion(reader);
  reader.Leave(outer);
  return match;
}

void ReadInstall(Reader& reader, Manifest& manifest) {
  const std::size_t outer = reader.Enter();
  const std::uint64_t items = reader.Array();
  reader.Expect(kOverrideParameters);
  const std::uint64_t parameters = reader.Map();
  if (reader.Take(kUseBefore)) manifest.use_before = reader.Uint(cbor::kMaxUint53);
  reader.Expect(kUri);
  ReadUri(reader, manifest);
  reader.Expect(kFetchArguments);
  ReadFetchArguments(reader, manifest);
  if (reader.Take(kVersionMatch)) manifest.version_match = ReadVersionMatch(reader);
  if (reader.Take(kPrecursor)) manifest.precursor = ReadWrappedSuitDigest(reader);
  const std::uint64_t optional =
      (manifest.use_before ? 1U : 0U) + (manifest.version_match ? 1U : 0U) + (manifest.precursor ? 1U : 0U);
  reader.Require(parameters == 2 + optional, "another number of parameters than the template's (R4)");
  if (manifest.use_before) ReadCommand(reader, kUseBefore, kReportAll);
  if (manifest.version_match) ReadCommand(reader, kVersionMatch, kReportAll);
  if (manifest.precursor) ReadCommand(reader, kPrecursor, kReportAll);
  ReadCommand(reader, kFetchDirective, kReportFailure);
  ReadCommand(reader, kImageMatch, kReportAll);
  reader.Require(items == 6 + 2 * optional, "another number of commands than the template's (R4)");
  reader.Leave(outer);
}

// What the parts must say together.
void RequireConsistent(Reader& reader, const Manifest& manifest) {
  reader.Require(manifest.image_bytes >= 1, "an empty image (R4)");
  reader.Require(manifest.payload_bytes >= 1, "an empty payload (R4)");
  reader.Require(manifest.trial_budget_s >= 1, "a trial budget of 0 s (R4)");
  const bool delta = manifest.format == PayloadFormat::kDelta;
  reader.Require(delta == manifest.precursor.has_value(), "a precursor without a delta, or a delta without one (R4)");
  const bool same = manifest.payload_bytes == manifest.image_bytes && manifest.payload_digest == manifest.image_digest;
  reader.Require(manifest.format != PayloadFormat::kRaw || same, "a raw payload that is not the image (R4)");
}

// --- Writing ---

void WriteCommand(Writer& writer, std::int64_t command, std::int64_t policy) {
  writer.Int(command);
  writer.Int(policy);
}

void WriteVersion(Writer& writer, const Version& version) {
  const bool staged = version.stage != Version::Stage::kRelease || version.stage_number;
  writer.Array(3U + (staged ? 1U : 0U) + (version.stage_number ? 1U : 0U));
  writer.Uint(version.major);
  writer.Uint(version.minor);
  writer.Uint(version.patch);
  if (staged) writer.Int(static_cast<std::int64_t>(version.stage));
  if (version.stage_number) writer.Uint(*version.stage_number);
}

void WriteSharedSequence(Writer& writer, const Manifest& manifest) {
  const std::uint64_t optional = manifest.slot ? 1 : 0;
  const std::size_t begin = writer.Begin();
  writer.Array(6 + 2 * optional);
  writer.Int(kOverrideParameters);
  writer.Map(4 + optional);
  writer.Int(kVendor);
  writer.Bytes(manifest.vendor);
  writer.Int(kClass);
  writer.Bytes(manifest.cls);
  writer.Int(kImageMatch);
  WriteWrappedSuitDigest(writer, manifest.image_digest);
  if (manifest.slot) {
    writer.Int(kSlot);
    writer.Uint(*manifest.slot);
  }
  writer.Int(kImageSize);
  writer.Uint(manifest.image_bytes);
  WriteCommand(writer, kVendor, kReportAll);
  WriteCommand(writer, kClass, kReportAll);
  if (manifest.slot) WriteCommand(writer, kSlot, kReportAll);
  writer.End(begin);
}

void WriteCommon(Writer& writer, const Manifest& manifest) {
  const std::size_t begin = writer.Begin();
  writer.Map(2);
  writer.Int(kComponents);
  writer.Array(1);
  writer.Array(1);
  writer.Bytes(kComponentId);
  writer.Int(kSharedSequence);
  WriteSharedSequence(writer, manifest);
  writer.End(begin);
}

void WriteValidate(Writer& writer, const Manifest& manifest) {
  const std::size_t begin = writer.Begin();
  writer.Array(8);
  writer.Int(kOverrideParameters);
  writer.Map(2);
  writer.Int(kSecurityVersion);
  writer.Uint(manifest.security_version);
  writer.Int(kMinBoardRevision);
  writer.Uint(manifest.min_board_revision);
  WriteCommand(writer, kSecurityVersion, kReportAll);
  WriteCommand(writer, kMinBoardRevision, kReportAll);
  WriteCommand(writer, kImageMatch, kReportAll);
  writer.End(begin);
}

void WriteInvoke(Writer& writer, const Manifest& manifest) {
  const std::size_t begin = writer.Begin();
  writer.Array(4);
  writer.Int(kOverrideParameters);
  writer.Map(1);
  writer.Int(kInvokeArguments);
  const std::size_t arguments = writer.Begin();
  writer.Map(1);
  writer.Int(kTrialBudget);
  writer.Uint(manifest.trial_budget_s);
  writer.End(arguments);
  WriteCommand(writer, kInvokeDirective, kReportFailure);
  writer.End(begin);
}

void WriteUri(Writer& writer, const Digest& payload) {
  std::array<char, kUriPrefix.size() + kUriDigestChars> uri{};
  std::ranges::copy(kUriPrefix, uri.begin());
  Base64UrlEncode(payload, std::span(uri).subspan(kUriPrefix.size()));
  writer.Text({uri.data(), uri.size()});
}

void WriteFetchArguments(Writer& writer, const Manifest& manifest) {
  const std::size_t begin = writer.Begin();
  writer.Map(3);
  writer.Int(kPayloadBytes);
  writer.Uint(manifest.payload_bytes);
  writer.Int(kFormat);
  writer.Uint(static_cast<std::uint64_t>(manifest.format));
  writer.Int(kTree);
  writer.Array(3);
  writer.Int(kSha256Algorithm);
  writer.Int(kChunkLog2);
  writer.Bytes(manifest.tree_root);
  writer.End(begin);
}

void WriteInstallParameters(Writer& writer, const Manifest& manifest, std::uint64_t optional) {
  writer.Map(2 + optional);
  if (manifest.use_before) {
    writer.Int(kUseBefore);
    writer.Uint(*manifest.use_before);
  }
  writer.Int(kUri);
  WriteUri(writer, manifest.payload_digest);
  writer.Int(kFetchArguments);
  WriteFetchArguments(writer, manifest);
  if (manifest.version_match) {
    writer.Int(kVersionMatch);
    const std::size_t begin = writer.Begin();
    writer.Array(2);
    writer.Uint(static_cast<std::uint64_t>(manifest.version_match->comparison));
    WriteVersion(writer, manifest.version_match->version);
    writer.End(begin);
  }
  if (manifest.precursor) {
    writer.Int(kPrecursor);
    WriteWrappedSuitDigest(writer, *manifest.precursor);
  }
}

void WriteInstall(Writer& writer, const Manifest& manifest) {
  const std::uint64_t optional =
      (manifest.use_before ? 1U : 0U) + (manifest.version_match ? 1U : 0U) + (manifest.precursor ? 1U : 0U);
  const std::size_t begin = writer.Begin();
  writer.Array(6 + 2 * optional);
  writer.Int(kOverrideParameters);
  WriteInstallParameters(writer, manifest, optional);
  if (manifest.use_before) WriteCommand(writer, kUseBefore, kReportAll);
  if (manifest.version_match) WriteCommand(writer, kVersionMatch, kReportAll);
  if (manifest.precursor) WriteCommand(writer, kPrecursor, kReportAll);
  WriteCommand(writer, kFetchDirective, kReportFailure);
  WriteCommand(writer, kImageMatch, kReportAll);
  writer.End(begin);
}

void WriteOptionalDigest(Writer& writer, std::int64_t member, const std::optional<Digest>& digest) {
  if (!digest) return;
  writer.Int(member);
  WriteSuitDigest(writer, *digest);
}

void WriteManifest(Writer& writer, const Manifest& manifest) {
  writer.Map(kFixedMembers + (manifest.coswid ? 1U : 0U) + (manifest.text ? 1U : 0U) + (manifest.sbom ? 1U : 0U));
  writer.Int(kManifestVersion);
  writer.Int(1);
  writer.Int(kSequenceNumber);
  writer.Uint(manifest.sequence);
  writer.Int(kCommon);
  WriteCommon(writer, manifest);
  writer.Int(kSetVersion);
  const std::size_t version = writer.Begin();
  WriteVersion(writer, manifest.version);
  writer.End(version);
  writer.Int(kValidate);
  WriteValidate(writer, manifest);
  writer.Int(kInvoke);
  WriteInvoke(writer, manifest);
  WriteOptionalDigest(writer, kCoswid, manifest.coswid);
  writer.Int(kInstall);
  WriteInstall(writer, manifest);
  WriteOptionalDigest(writer, kText, manifest.text);
  WriteOptionalDigest(writer, kSbom, manifest.sbom);
}

}  // namespace

Result<Manifest> DecodeManifest(ByteView bytes) {
  Manifest manifest;
  Reader reader(bytes);
  const std::uint64_t members = reader.Map();
  reader.Expect(kManifestVersion);
  reader.Expect(1);
  reader.Expect(kSequenceNumber);
  manifest.sequence = reader.Uint(cbor::kMaxUint53);
  reader.Expect(kCommon);
  ReadCommon(reader, manifest);
  reader.Expect(kSetVersion);
  manifest.version = ReadSetVersion(reader);
  reader.Expect(kValidate);
  ReadValidate(reader, manifest);
  reader.Expect(kInvoke);
  ReadInvoke(reader, manifest);
  if (reader.Take(kCoswid)) manifest.coswid = ReadSuitDigest(reader);
  reader.Expect(kInstall);
  ReadInstall(reader, manifest);
  if (reader.Take(kText)) manifest.text = ReadSuitDigest(reader);
  if (reader.Take(kSbom)) manifest.sbom = ReadSuitDigest(reader);
  const std::uint64_t optional = (manifest.coswid ? 1U : 0U) + (manifest.text ? 1U : 0U) + (manifest.sbom ? 1U : 0U);
  reader.Require(members == kFixedMembers + optional, "another number of members than the template's (R4)");
  RequireConsistent(reader, manifest);
  PAWL_TRY(reader.Finish(Reason::kMalformedManifest, "manifest"));
  return manifest;
}

Result<std::size_t> EncodeManifest(const Manifest& manifest, MutableBytes to) {
  Writer writer(to);
  WriteManifest(writer, manifest);
  PAWL_ASSIGN(const std::size_t size, writer.Finish());
  // One place knows which values are allowed: the decoder.
  const Result<Manifest> check = DecodeManifest(to.first(size));
  if (!check) return Fail(Reason::kInvalidArgument, check.error().detail);
  return size;
}

}  // namespace pawl
