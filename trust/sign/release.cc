#include "trust/sign/release.h"

#include <algorithm>
#include <limits>
#include <string>

namespace pawl::sign {
namespace {

constexpr std::uint64_t kMaxUint32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kMaxSequence = (std::uint64_t{1} << 53) - 1;

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsDomain(std::string_view text) {
  return !text.empty() && text.size() <= 253 &&
         std::ranges::all_of(text, [](char c) { return IsLower(c) || IsDigit(c) || c == '.' || c == '-'; });
}

bool IsClassName(std::string_view text) {
  return !text.empty() && text.size() <= 63 && std::ranges::all_of(text, [](char c) {
    return IsLower(c) || IsUpper(c) || IsDigit(c) || c == '.' || c == '_' || c == '-';
  });
}

Status Require(bool holds, std::string_view rule) {
  if (!holds) return Fail(Reason::kInvalidArgument, rule);
  return {};
}

}  // namespace

Status CheckFacts(const ReleaseFacts& facts) {
  PAWL_TRY(Require(IsDomain(facts.vendor), "vendor must be a domain of 1..253 characters of [a-z0-9.-]"));
  PAWL_TRY(Require(IsClassName(facts.class_name), "class must be 1..63 characters of [A-Za-z0-9._-]"));
  PAWL_TRY(Require(facts.sequence >= 1 && facts.sequence <= kMaxSequence, "sequence must be 1..2^53-1"));
  PAWL_TRY(Require(facts.security_version <= kMaxUint32, "security version must be below 2^32"));
  PAWL_TRY(Require(facts.min_board_revision <= kMaxUint32, "minimum board revision must be below 2^32"));
  PAWL_TRY(Require(facts.trial_budget_s >= 1, "trial budget must be at least 1 s"));
  return Require(!facts.slot || *facts.slot <= 1, "slot must be 0 or 1");
}

Manifest ManifestOf(const ReleaseFacts& facts, const MeasuredArtifact& artifact) {
  Manifest manifest;
  manifest.sequence = facts.sequence;
  manifest.version = facts.version;
  manifest.vendor = VendorId(facts.vendor);
  manifest.cls = ClassId(manifest.vendor, facts.class_name);
  manifest.image_digest = artifact.digest;
  manifest.image_bytes = artifact.bytes;
  manifest.slot = facts.slot;
  manifest.security_version = facts.security_version;
  manifest.min_board_revision = facts.min_board_revision;
  manifest.trial_budget_s = facts.trial_budget_s;
  manifest.use_before = facts.use_before;
  manifest.payload_digest = artifact.digest;
  manifest.payload_bytes = artifact.bytes;
  manifest.format = PayloadFormat::kRaw;
  manifest.tree_root = artifact.tree_root;
  manifest.sbom = facts.sbom;
  return manifest;
}

Status CheckDeviceId(std::string_view id) {
  const auto starts = [](char c) { return IsLower(c) || IsDigit(c); };
  const auto goes_on = [&](char c) { return starts(c) || c == '.' || c == '_' || c == '-'; };
  return Require(!id.empty() && id.size() <= 63 && starts(id[0]) && std::ranges::all_of(id, goes_on),
                 "a device id must be [a-z0-9][a-z0-9._-]{0,62}");
}

}  // namespace pawl::sign
