// Artifacts' rows and releases.
#include "platform/io/data/releases.h"

#include <gtest/gtest.h>

#include "platform/io/data/test_platform.h"

namespace pawl::data {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)
using testing::Platform;

class Releases : public ::testing::Test {
 protected:
  Releases() {
    platform.MakeClass();
    platform.Do([](sql::Tx& tx) { return AddArtifact(tx, kOperator, Filled<32>(1), 1000, "fw.bin"); });
  }
  ReleaseSpec Spec(const std::string& version = "2.1.0") const {
    return {"virtual-1", Filled<32>(1), version, 3, 2, {}, {}};
  }
  Result<Release> Create(const ReleaseSpec& spec) {
    return platform.Write([&](sql::Tx& tx) { return CreateRelease(tx, kOperator, spec); });
  }
  std::vector<Release> ToSign() {
    return platform.Do([](sql::Tx& tx) { return ReleasesToSign(tx, 10); });
  }

  Platform platform;
};

TEST_F(Releases, WaitForTheirSignatureAndAreNumberedPerClass) {
  const Release first = Must(Create(Spec()));
  EXPECT_EQ(first.state, ReleaseState::kSigning);
  EXPECT_EQ(first.sequence, 1U);
  EXPECT_EQ(first.trial_budget_s, 120U);  // the class's
  EXPECT_EQ(first.artifact_bytes, 1000U);
  EXPECT_FALSE(first.manifest_digest.has_value());
  platform.Pass(1);
  EXPECT_EQ(ReasonOf(Create(Spec())), Reason::kConflict);
  EXPECT_EQ(Must(Create(Spec("2.1.1"))).sequence, 2U);
  platform.MakeClass("virtual-2");
  ReleaseSpec other = Spec();
  other.class_name = "virtual-2";
  EXPECT_EQ(Must(Create(other)).sequence, 1U);
  EXPECT_EQ(ToSign().size(), 3U);
  EXPECT_EQ(ToSign().front().id, first.id);
}

TEST_F(Releases, AFailedCreationBurnsNoSequenceNumber) {
  ReleaseSpec bad = Spec();
  bad.trial_budget_s = 9;
  EXPECT_EQ(ReasonOf(Create(bad)), Reason::kTrialBudget);
  EXPECT_EQ(Must(Create(Spec())).sequence, 1U);
}

TEST_F(Releases, WhatBreaksARuleIsRefused) {
  const auto with = [&](auto change) {
    ReleaseSpec spec = Spec();
    change(spec);
    return ReasonOf(Create(spec));
  };
  EXPECT_EQ(with([](ReleaseSpec& s) { s.class_name = "nobody"; }), Reason::kNotFound);
  EXPECT_EQ(with([](ReleaseSpec& s) { s.artifact = Filled<32>(9); }), Reason::kNotFound);
  EXPECT_EQ(with([](ReleaseSpec& s) { s.version = "two"; }), Reason::kInvalidArgument);
  EXPECT_EQ(with([](ReleaseSpec& s) { s.trial_budget_s = 121; }), Reason::kTrialBudget);
  EXPECT_EQ(with([](ReleaseSpec& s) { s.security_version = std::uint64_t{1} << 32; }), Reason::kInvalidArgument);
  EXPECT_EQ(with([](ReleaseSpec& s) { s.use_before_s = ~std::uint64_t{0}; }), Reason::kInvalidArgument);
  platform.Do([](sql::Tx& tx) { return AddArtifact(tx, kOperator, Filled<32>(2), (1 << 20) - 8191, "big.bin"); });
  EXPECT_EQ(with([](ReleaseSpec& s) { s.artifact = Filled<32>(2); }), Reason::kImageTooLarge);
  platform.Do([](sql::Tx& tx) { return AddArtifact(tx, kOperator, Filled<32>(3), (1 << 20) - 8192, "fits.bin"); });
  EXPECT_EQ(with([](ReleaseSpec& s) { s.artifact = Filled<32>(3); }), Reason::kNone);
}

TEST_F(Releases, APublishedOneHasItsEnvelopeAndIsNoLongerWaiting) {
  const Release release = Must(Create(Spec()));
  const auto envelope = [&] { return platform.Write([&](sql::Tx& tx) { return GetEnvelope(tx, release.id); }); };
  EXPECT_EQ(ReasonOf(envelope()), Reason::kConflict);
  const SignedManifest manifest{Filled<32>(5), {1, 2, 3}, {Filled<8>(6)}};
  platform.Do([&](sql::Tx& tx) { return PublishRelease(tx, release.id, manifest); });
  const Release published = platform.Do([&](sql::Tx& tx) { return GetRelease(tx, release.id); });
  EXPECT_EQ(published.state, ReleaseState::kPublished);
  EXPECT_EQ(published.manifest_digest, Filled<32>(5));
  EXPECT_EQ(published.envelope_bytes, 3U);
  EXPECT_EQ(published.keys, std::vector<KeyId>{Filled<8>(6)});
  EXPECT_EQ(Must(envelope()), manifest.envelope);
  EXPECT_TRUE(ToSign().empty());
  EXPECT_EQ(ReasonOf(platform.Write([&](sql::Tx& tx) { return PublishRelease(tx, release.id, manifest); })),
            Reason::kConflict);
}

TEST_F(Releases, SayWhatTheyWaitForOnceAndGoOn) {
  const Release release = Must(Create(Spec()));
  const auto note = [&](std::string_view text) {
    platform.Do([&](sql::Tx& tx) { return NoteReleaseWaiting(tx, release.id, text); });
  };
  note("HSM does not answer: C_Sign 0x30");
  note("HSM does not answer: C_Sign 0x30");
  EXPECT_EQ(ToSign().front().waiting, "HSM does not answer: C_Sign 0x30");
  EXPECT_EQ(platform.Events(EventKind::kReleaseWaiting).size(), 1U);
  note("");
  EXPECT_EQ(ToSign().front().waiting, "");
}

TEST_F(Releases, ARefusedOneTellsWhyAndStaysRefused) {
  const Release release = Must(Create(Spec()));
  const auto refuse = [&] {
    return platform.Write(
        [&](sql::Tx& tx) { return RefuseRelease(tx, release.id, Reason::kInvalidSignature, "key 3c3c"); });
  };
  EXPECT_TRUE(refuse());
  const Release refused = platform.Do([&](sql::Tx& tx) { return GetRelease(tx, release.id); });
  EXPECT_EQ(refused.state, ReleaseState::kRefused);
  EXPECT_EQ(refused.reason, Reason::kInvalidSignature);
  EXPECT_EQ(refused.detail, "key 3c3c");
  ASSERT_EQ(platform.Events(EventKind::kReleaseRefused).size(), 1U);
  EXPECT_EQ(platform.Events(EventKind::kReleaseRefused).front().text,
            "release virtual-1 2.1.0 refused: invalid signature, key 3c3c");
  EXPECT_EQ(ReasonOf(refuse()), Reason::kConflict);
}

TEST_F(Releases, TheSameArtifactAgainIsNotCreatedTwiceAndAUsedOneStays) {
  const auto again = platform.Do([](sql::Tx& tx) { return AddArtifact(tx, kOperator, Filled<32>(1), 1000, "b.bin"); });
  EXPECT_FALSE(again.created);
  EXPECT_EQ(again.artifact.name, "fw.bin");
  const auto remove = [&] {
    return ReasonOf(platform.Write([](sql::Tx& tx) { return RemoveArtifact(tx, kOperator, Filled<32>(1)); }));
  };
  Must(Create(Spec()));
  EXPECT_EQ(remove(), Reason::kConflict);
  platform.Do([](sql::Tx& tx) { return tx.Execute("DELETE FROM releases"); });
  EXPECT_EQ(remove(), Reason::kNone);
  EXPECT_EQ(remove(), Reason::kNotFound);
}

TEST_F(Releases, ArtifactsAndReleasesAreListedPageByPage) {
  for (std::uint8_t i = 2; i < 6; ++i) {
    platform.Do([&](sql::Tx& tx) { return AddArtifact(tx, kOperator, Filled<32>(i), 1000, "fw.bin"); });
    Must(Create(Spec("2.1." + std::to_string(i))));
  }
  const auto first = platform.Do([](sql::Tx& tx) { return ListArtifacts(tx, {3, {}}); });
  ASSERT_TRUE(first.next.has_value());
  const auto second = platform.Do([&](sql::Tx& tx) { return ListArtifacts(tx, {3, *first.next}); });
  EXPECT_EQ(first.items.size() + second.items.size(), 5U);
  EXPECT_FALSE(second.next.has_value());
  EXPECT_EQ(platform.Do([](sql::Tx& tx) { return ListReleases(tx, "virtual-1", {}); }).items.size(), 4U);
  EXPECT_EQ(platform.Do([](sql::Tx& tx) { return ListReleases(tx, "other", {}); }).items.size(), 0U);
  EXPECT_EQ(platform.Do([](sql::Tx& tx) { return ListReleases(tx, "", {2, {}}); }).items.size(), 2U);
}

}  // namespace
}  // namespace pawl::data
