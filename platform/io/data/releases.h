// Releases: an artifact, its signed manifest, and how far the signing is.
//
//   signing --Publish--> published        signing --Refuse--> refused
//
// A release is created as *signing*; the release worker looks for those (at start, and after each commit), has them
// signed and verified, and publishes or refuses. While the HSM does not answer they stay, and say what they wait for.
#pragma once

#include "platform/io/data/common.h"

namespace pawl::data {

enum class ReleaseState : std::uint8_t { kSigning, kPublished, kRefused };
std::string_view Text(ReleaseState state);

struct ReleaseSpec {
  std::string class_name;
  Digest artifact{};
  std::string version;  // by ParseVersion
  std::uint64_t security_version = 0;
  std::uint64_t min_board_revision = 0;
  std::optional<std::uint32_t> trial_budget_s;  // default: the class's maximum
  std::optional<std::uint64_t> use_before_s;    // seconds since 1970
};
struct Release {
  std::string id;
  std::string class_name;
  Digest artifact{};
  std::uint64_t artifact_bytes = 0;
  std::string version;
  std::uint64_t security_version = 0;
  std::uint64_t min_board_revision = 0;
  std::uint32_t trial_budget_s = 0;
  std::optional<std::uint64_t> use_before_s;
  std::uint64_t sequence = 0;  // per class, increasing
  ReleaseState state = ReleaseState::kSigning;
  Reason reason = Reason::kNone;  // of refused
  std::string detail;
  std::string waiting;                    // what a signing release waits for; empty: nothing
  std::optional<Digest> manifest_digest;  // SUIT_Digest, once published
  std::uint64_t envelope_bytes = 0;
  std::vector<KeyId> keys;
  std::int64_t created_ms = 0;
  std::string created_by;
  std::optional<std::int64_t> published_ms;
};

// Errors: not found (class, artifact), trial budget, image too large, invalid argument; conflict (the class has this
// version already, in a release that is not refused).
Result<Release> CreateRelease(sql::Tx& tx, const Actor& actor, const ReleaseSpec& spec);
Result<Release> GetRelease(sql::Tx& tx, std::string_view id);  // errors: not found
Result<Page<Release>> ListReleases(sql::Tx& tx, std::string_view class_name, const PageRequest& page);
// Errors: not found; conflict, if it is not published.
Result<std::vector<std::uint8_t>> GetEnvelope(sql::Tx& tx, std::string_view id);

// For the release worker. The oldest first.
Result<std::vector<Release>> ReleasesToSign(sql::Tx& tx, std::size_t limit);
// An event when the text changes. Empty: goes on.
Status NoteReleaseWaiting(sql::Tx& tx, std::string_view id, std::string_view text);
struct SignedManifest {
  Digest manifest_digest{};
  std::vector<std::uint8_t> envelope;
  std::vector<KeyId> keys;  // that signed
};
// Precondition: the caller verified the envelope against the class's anchors and the release's facts.
// Errors: not found; conflict, if it is not signing.
Status PublishRelease(sql::Tx& tx, std::string_view id, const SignedManifest& signed_manifest);
Status RefuseRelease(sql::Tx& tx, std::string_view id, Reason reason, std::string_view detail);

}  // namespace pawl::data
