// The release worker between the real database, the real store and signers that behave, are away, or lie.
#include "platform/io/release/release_worker.h"

#include <gtest/gtest.h>

#include <condition_variable>

#include "platform/io/data/test_platform.h"
#include "platform/io/store/directory/directory_store.h"
#include "trust/sign/artifact.h"
#include "trust/sign/release.h"
#include "trust/sign/soft/soft_key.h"
#include "trust/verify/key_table.h"
#include "trust/verify/verify.h"

namespace pawl {
namespace {

using namespace std::chrono_literals;
using data::testing::kOperator;
using data::testing::Must;
using sign::SoftKey;

Key EntryOf(const SoftKey& key, Role role) {
  Key entry;
  entry.kid = key.SigningKey::kid();
  entry.public_key = key.public_key();
  entry.roles = static_cast<std::uint8_t>(role);
  return entry;
}

std::vector<std::uint8_t> AnchorsOf(const SoftKey& image) {
  KeyTable table;
  for (const char* seed : {"root 1", "root 2", "root 3"}) table.keys.push_back(EntryOf(SoftKey(seed), Role::kRoot));
  table.keys.push_back(EntryOf(image, Role::kImage));
  table.keys.push_back(EntryOf(SoftKey("image 2"), Role::kImage));
  table.keys.push_back(EntryOf(SoftKey("director"), Role::kDirector));
  table.keys.push_back(EntryOf(SoftKey("server ca"), Role::kTlsRoot));
  table.thresholds = {2, 1, 1, 1};
  std::vector<std::uint8_t> bytes(kMaxAnchorsBytes);
  bytes.resize(Must(EncodeAnchors(table, bytes)));
  return bytes;
}

class ReleaseWorkerTest : public ::testing::Test {
 protected:
  ReleaseWorkerTest() : root_(folder_ / "artifacts"), store_(Must(store::OpenDirectoryStore(root_))) {
    platform_.database().OnCommit([this] {
      const std::scoped_lock lock(mutex_);
      if (worker_) worker_->Wake();
      ++commits_;
      changed_.notify_all();
    });
    const auto writer = Must(store_->Begin());
    Must(writer->Append(AsBytes("a firmware image")));
    stored_ = Must(writer->Commit());
    platform_.Do([&](sql::Tx& tx) -> Status {
      const data::ClassSpec spec{"virtual-1", "pawl.example", 1 << 20, 10, 120, 900, 0, 0};
      PAWL_TRY(data::CreateClass(tx, kOperator, spec, AnchorsOf(image_key_), {image_key_.SigningKey::kid()}));
      PAWL_TRY(data::AddArtifact(tx, kOperator, stored_.digest, stored_.bytes, "fw.bin"));
      return {};
    });
  }
  ~ReleaseWorkerTest() override {
    Exchange(nullptr);
    platform_.database().Close();
  }

  void Start(ManifestSigner signer) {
    ReleaseWorkerConfig config{root_, 5ms, 20ms};
    auto worker = std::make_unique<ReleaseWorker>(config, platform_.database(), *store_, std::move(signer),
                                                  [](std::string_view) {});
    worker->Start();
    Exchange(std::move(worker));
  }

  // The worker before ends outside of the lock: its last write calls the listener.
  void Exchange(std::unique_ptr<ReleaseWorker> worker) {
    {
      const std::scoped_lock lock(mutex_);
      worker_.swap(worker);
    }
    worker.reset();
  }

  data::Release Create(const std::string& version = "2.1.0") {
    const data::ReleaseSpec spec{"virtual-1", stored_.digest, version, 3, 2, 60, 1'900'000'000};
    return platform_.Do([&](sql::Tx& tx) { return data::CreateRelease(tx, kOperator, spec); });
  }
  data::Release Now(const std::string& id) {
    return platform_.Do([&](sql::Tx& tx) { return data::GetRelease(tx, id); });
  }
  data::Release WaitUntil(const std::string& id, const std::function<bool(const data::Release&)>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    for (;;) {
      std::uint64_t seen = 0;
      {
        const std::scoped_lock lock(mutex_);
        seen = commits_;
      }
      data::Release release = Must(platform_.database().Read([&](sql::Tx& tx) { return data::GetRelease(tx, id); }));
      if (holds(release)) return release;
      std::unique_lock lock(mutex_);
      if (!changed_.wait_until(lock, deadline, [&] { return commits_ != seen; })) {
        ADD_FAILURE() << "the release stays " << Text(release.state) << ", waiting: " << release.waiting;
        return release;
      }
    }
  }
  data::Release WaitSettled(const std::string& id) {
    return WaitUntil(id, [](const data::Release& release) { return release.state != data::ReleaseState::kSigning; });
  }

  // As pawl-signer does it: the artifact is measured, the manifest built and signed.
  Result<SignedManifest> SignWith(SoftKey& key, const ReleaseFacts& facts, const StoredArtifact& artifact,
                                  const std::function<void(Manifest&)>& alter = {}) {
    PAWL_ASSIGN(const sign::MeasuredArtifact measured, sign::MeasureArtifact(root_, artifact.path));
    Manifest manifest = sign::ManifestOf(facts, measured);
    if (alter) alter(manifest);
    return sign::SignManifest(manifest, key);
  }

  // The release that a signer made who alters what it signs.
  data::Release SettledWith(const std::function<void(Manifest&)>& alter) {
    Start([this, alter](const ReleaseFacts& facts, const StoredArtifact& artifact) {
      return SignWith(image_key_, facts, artifact, alter);
    });
    const data::Release release = WaitSettled(Create().id);
    Exchange(nullptr);
    return release;
  }

  data::testing::TemporaryFolder folder_;
  std::string root_;
  std::unique_ptr<store::ArtifactStore> store_;
  store::Stored stored_;
  SoftKey image_key_{"image 1"};
  data::testing::Platform platform_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t commits_ = 0;
  std::unique_ptr<ReleaseWorker> worker_;
};

TEST_F(ReleaseWorkerTest, PublishesWhatVerifiesAndSaysWhatTheReleaseSays) {
  Start([this](const ReleaseFacts& facts, const StoredArtifact& artifact) {
    return SignWith(image_key_, facts, artifact);
  });
  const data::Release release = WaitSettled(Create().id);
  EXPECT_EQ(release.state, data::ReleaseState::kPublished);
  EXPECT_EQ(release.keys, std::vector{image_key_.SigningKey::kid()});
  const auto envelope = platform_.Do([&](sql::Tx& tx) { return data::GetEnvelope(tx, release.id); });
  const auto verified = Must(Verify(envelope, Must(DecodeAnchors(AnchorsOf(image_key_)))));
  EXPECT_EQ(verified.digest(), release.manifest_digest);
  EXPECT_EQ(verified.get().image_digest, stored_.digest);
  EXPECT_EQ(verified.get().sequence, release.sequence);
}

TEST_F(ReleaseWorkerTest, WaitsWhileTheHsmIsAwayAndGoesOnByItself) {
  std::atomic<bool> away{true};
  Start([&](const ReleaseFacts& facts, const StoredArtifact& artifact) -> Result<SignedManifest> {
    if (away) return Fail(Reason::kUnavailable, "C_OpenSession: CKR_TOKEN_NOT_PRESENT");
    return SignWith(image_key_, facts, artifact);
  });
  const std::string id = Create().id;
  const data::Release waiting = WaitUntil(id, [](const data::Release& release) { return !release.waiting.empty(); });
  EXPECT_EQ(waiting.state, data::ReleaseState::kSigning);
  EXPECT_EQ(waiting.waiting, "HSM does not answer: C_OpenSession: CKR_TOKEN_NOT_PRESENT");
  away = false;
  const data::Release done = WaitSettled(id);
  EXPECT_EQ(done.state, data::ReleaseState::kPublished);
  EXPECT_EQ(done.waiting, "");
  EXPECT_EQ(platform_.Events(data::EventKind::kReleaseWaiting).size(), 1U);
}

TEST_F(ReleaseWorkerTest, AReleaseThatWaitsDoesNotHoldUpTheOthers) {
  Start([&](const ReleaseFacts& facts, const StoredArtifact& artifact) -> Result<SignedManifest> {
    if (facts.version.patch == 0) return Fail(Reason::kTimeout, "too slow");
    return SignWith(image_key_, facts, artifact);
  });
  const std::string slow = Create("2.1.0").id;
  EXPECT_EQ(WaitSettled(Create("2.1.1").id).state, data::ReleaseState::kPublished);
  EXPECT_EQ(Now(slow).state, data::ReleaseState::kSigning);
}

TEST_F(ReleaseWorkerTest, AKeyThatTheAnchorsLackIsRefused) {
  SoftKey stranger("stranger");
  Start([&](const ReleaseFacts& facts, const StoredArtifact& artifact) { return SignWith(stranger, facts, artifact); });
  const data::Release release = WaitSettled(Create().id);
  EXPECT_EQ(release.state, data::ReleaseState::kRefused);
  EXPECT_EQ(release.reason, Reason::kUnknownKey);
  EXPECT_EQ(platform_.Events(data::EventKind::kReleasePublished).size(), 0U);
}

TEST_F(ReleaseWorkerTest, AStrangersSignatureUnderTheRightKeyIdIsRefused) {
  SoftKey stranger("stranger");
  stranger.ClaimKid(image_key_.SigningKey::kid());
  Start([&](const ReleaseFacts& facts, const StoredArtifact& artifact) { return SignWith(stranger, facts, artifact); });
  EXPECT_EQ(WaitSettled(Create().id).reason, Reason::kInvalidSignature);
}

TEST_F(ReleaseWorkerTest, AKeyOfAnotherRoleIsRefused) {
  SoftKey director("director");
  Start([&](const ReleaseFacts& facts, const StoredArtifact& artifact) { return SignWith(director, facts, artifact); });
  EXPECT_EQ(WaitSettled(Create().id).reason, Reason::kWrongKeyRole);
}

TEST_F(ReleaseWorkerTest, EachFactThatDiffersIsRefused) {
  const std::function<void(Manifest&)> alterations[] = {
      [](Manifest& m) { ++m.sequence; },
      [](Manifest& m) { ++m.version.patch; },
      [](Manifest& m) { m.vendor[0] ^= 1; },
      [](Manifest& m) { m.cls[15] ^= 1; },
      [](Manifest& m) { m.image_digest[0] = m.payload_digest[0] = m.payload_digest[0] ^ 1; },
      [](Manifest& m) { m.image_bytes = ++m.payload_bytes; },
      [](Manifest& m) {
        m.format = PayloadFormat::kZstd;
        m.payload_digest[0] ^= 1;
        --m.payload_bytes;
      },
      [](Manifest& m) { m.slot = 1; },
      [](Manifest& m) { ++m.security_version; },
      [](Manifest& m) { --m.min_board_revision; },
      [](Manifest& m) { ++m.trial_budget_s; },
      [](Manifest& m) { m.use_before.reset(); },
  };
  for (const auto& alter : alterations) {
    const data::Release release = SettledWith(alter);
    EXPECT_EQ(release.state, data::ReleaseState::kRefused) << &alter - alterations;
    EXPECT_EQ(release.reason, Reason::kCorrupt) << &alter - alterations;
  }
}

TEST_F(ReleaseWorkerTest, AnAlteredEnvelopeIsRefused) {
  Start([this](const ReleaseFacts& facts, const StoredArtifact& artifact) -> Result<SignedManifest> {
    PAWL_ASSIGN(SignedManifest made, SignWith(image_key_, facts, artifact));
    made.envelope[made.envelope.size() / 2] ^= 1;
    return made;
  });
  EXPECT_EQ(WaitSettled(Create().id).state, data::ReleaseState::kRefused);
}

TEST_F(ReleaseWorkerTest, AnArtifactThatTheStoreLostIsRefusedByName) {
  Must(store_->Remove(stored_.digest));
  Start([this](const ReleaseFacts& facts, const StoredArtifact& artifact) {
    return SignWith(image_key_, facts, artifact);
  });
  EXPECT_EQ(WaitSettled(Create().id).reason, Reason::kNotFound);
}

TEST_F(ReleaseWorkerTest, TakesUpWhatAnEarlierProcessLeft) {
  const std::string id = Create().id;
  Start([this](const ReleaseFacts& facts, const StoredArtifact& artifact) {
    return SignWith(image_key_, facts, artifact);
  });
  EXPECT_EQ(WaitSettled(id).state, data::ReleaseState::kPublished);
}

}  // namespace
}  // namespace pawl
