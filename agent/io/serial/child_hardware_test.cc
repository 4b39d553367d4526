#include "agent/io/serial/child_hardware.h"

#include <gtest/gtest.h>

#include "agent/io/serial/fake_child.h"
#include "agent/io/system.h"
#include "agent/io/test_tls.h"
#include "base/hosted/files.h"
#include "trust/verify/golden.h"

namespace pawl::agent {
namespace {

class ChildHardwareTest : public testing::Test {
 protected:
  ChildHardwareTest() {
    for (const char* folder : {"rom", "data"}) std::filesystem::create_directory(folder_ / folder);
    EXPECT_TRUE(WriteFileDurably(config_.anchors, "anchors", 0644));
    EXPECT_TRUE(WriteFileDurably(config_.identity, "identity", 0644));
    child_.facts.rom_digest = crypto::Hash(AsBytes("anchorsidentity"));
  }
  Result<std::unique_ptr<Hardware>> Open() {
    SocketPair pair;
    served_ = std::make_unique<ServedChild>(child_, std::move(pair.child));
    auto link = std::make_unique<ChildLink>(std::make_unique<SerialLine>(std::move(pair.gateway)), options_);
    const auto facts = As<serial::Facts>(link->Call(serial::AskFacts{}));
    if (!facts) return std::unexpected(facts.error());
    return ChildHardware::Open(std::move(link), *facts, config_, keys_, http_);
  }
  void MustOpen() {
    auto opened = Open();
    ASSERT_TRUE(opened) << opened.error().detail.view();
    hardware_ = std::move(*opened);
  }
  // The loop, until this holds, at most 10 s.
  void Until(const std::function<bool()>& done) {
    const std::uint64_t end_ms = MonotonicMs() + 10'000;
    while (!done() && MonotonicMs() < end_ms) {
      for (Happening& what : hardware_->Work(MonotonicMs())) happened_.push_back(std::move(what));
      std::vector<pollfd> fds;
      hardware_->AddTo(fds);
      http_.Poll(fds, hardware_->NextMs() <= MonotonicMs() ? 0 : 10);
    }
    EXPECT_TRUE(done());
  }
  template <class T>
  const T* Happened() const {
    for (const Happening& what : happened_) {
      if (const T* found = std::get_if<T>(&what)) return found;
    }
    return nullptr;
  }
  void Change(const std::function<void()>& change) {
    {
      const std::lock_guard lock(served_->mutex);
      change();
    }
    served_->Tell(serial::Changed{});
  }
  action::Seal GoldenSeal() {
    const Manifest manifest = golden::TheManifest();
    return {golden::Hex(golden::kEnvelope), manifest.image_digest, manifest.image_bytes};
  }
  void Stage() {
    FileFlash* spool = hardware_->boot().StagingSlot().value();
    ASSERT_TRUE(spool->Program(0, golden::Image()));
  }

  TestFolder folder_;
  Config config_ = DefaultConfig(folder_.path());
  KeyTable keys_ = golden::TheKeys();
  HttpClient http_;
  ChildLink::Options options_;
  FakeChild child_;
  std::unique_ptr<ServedChild> served_;
  std::unique_ptr<Hardware> hardware_;
  std::vector<Happening> happened_;
};

TEST_F(ChildHardwareTest, TellsTheChildsOwnFacts) {
  child_.facts.cause = static_cast<std::uint8_t>(ResetCause::kWatchdog);
  child_.facts.sequence = 17;
  MustOpen();
  const BootFacts& facts = hardware_->boot().facts();
  EXPECT_EQ(facts.mode, BootMode::kNormal);
  EXPECT_EQ(facts.cause, ResetCause::kWatchdog);
  EXPECT_EQ(ToText(facts.running.version).view(), "1.0.0");
  EXPECT_EQ(facts.running.sequence, 17U);
  EXPECT_EQ(hardware_->slot_bytes(), child_.facts.slot_bytes);
  EXPECT_EQ(hardware_->watchdog_ms(), 2000U);
}

TEST_F(ChildHardwareTest, RefusesAChildWithAnotherRomAndNamesBoth) {
  child_.facts.rom_digest = crypto::Hash(AsBytes("another child's"));
  const auto opened = Open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().reason, Reason::kConflict);
  const std::string_view detail = opened.error().detail.view();
  std::array<char, 16> hex{};
  for (const std::string_view rom : {"another child's", "anchorsidentity"}) {
    EXPECT_NE(detail.find(HexEncode(ByteView(crypto::Hash(AsBytes(rom))).first(8), hex)), std::string_view::npos);
  }
}

TEST_F(ChildHardwareTest, RefusesFactsThatMakeNoSense) {
  child_.facts.sector_bytes = 0;
  EXPECT_EQ(Open().error().reason, Reason::kMalformed);
  child_.facts.sector_bytes = 16 * 1024;
  child_.facts.slot_bytes = UINT64_MAX / 2 + 1;
  EXPECT_EQ(Open().error().reason, Reason::kMalformed);
  child_.facts.slot_bytes = 256 * 1024;
  child_.facts.image_version = "one";
  EXPECT_EQ(Open().error().reason, Reason::kMalformed);
}

TEST_F(ChildHardwareTest, WhatWasConfirmedSinceTheBootStandsInTheRecord) {
  child_.facts.mode = static_cast<std::uint8_t>(BootMode::kTrial);
  MustOpen();
  EXPECT_EQ(hardware_->boot().facts().mode, BootMode::kNormal);
}

TEST_F(ChildHardwareTest, SealsBySpoolThenPushThenTheChildsVerdict) {
  MustOpen();
  Stage();
  ASSERT_TRUE(hardware_->StartSealing(GoldenSeal()));
  Until([this] { return !happened_.empty(); });
  EXPECT_NE(Happened<event::Sealed>(), nullptr);
  const auto image = golden::Image();
  EXPECT_TRUE(std::equal(image.begin(), image.end(), child_.slot.begin()));
  EXPECT_EQ(child_.envelope, golden::Hex(golden::kEnvelope));
  EXPECT_EQ(child_.begun->manifest_digest, golden::HexTo<Digest>(golden::kManifestDigest));
}

TEST_F(ChildHardwareTest, ASpoolThatIsNotTheSignedImageNeverReachesTheChild) {
  MustOpen();
  Stage();
  const std::uint8_t wrong = 0x5A;
  ASSERT_TRUE(hardware_->boot().StagingSlot().value()->Program(70'000, ByteView(&wrong, 1)));
  ASSERT_TRUE(hardware_->StartSealing(GoldenSeal()));
  Until([this] { return !happened_.empty(); });
  ASSERT_NE(Happened<event::SealFailed>(), nullptr);
  EXPECT_EQ(Happened<event::SealFailed>()->error.reason, Reason::kImageDigest);
  EXPECT_EQ(child_.Count("Begin"), 0);
}

TEST_F(ChildHardwareTest, TheChildsRefusalIsTheReasonThatIsTold) {
  child_.refuse_seal = serial::Refused{Reason::kUnknownKey, "not in my ROM"};
  MustOpen();
  Stage();
  ASSERT_TRUE(hardware_->StartSealing(GoldenSeal()));
  Until([this] { return !happened_.empty(); });
  ASSERT_NE(Happened<event::SealFailed>(), nullptr);
  EXPECT_EQ(Happened<event::SealFailed>()->error.reason, Reason::kUnknownKey);
}

TEST_F(ChildHardwareTest, PendingIsTheChildsCommitAndItsFactsShowIt) {
  MustOpen();
  BootControl& boot = hardware_->boot();
  const auto digest = golden::HexTo<Digest>(golden::kManifestDigest);
  EXPECT_EQ(boot.SetPending(17, digest).error().reason, Reason::kNotAllowed);  // nothing is sealed
  EXPECT_FALSE(boot.facts().record.pending);
  Stage();
  ASSERT_TRUE(hardware_->StartSealing(GoldenSeal()));
  Until([this] { return !happened_.empty(); });
  ASSERT_TRUE(boot.SetPending(17, digest));
  EXPECT_EQ(boot.facts().record.pending, Slot::kB);
  EXPECT_EQ(boot.facts().record.job, 17U);
  EXPECT_EQ(boot.facts().mode, BootMode::kNormal);
  EXPECT_FALSE(boot.StagingSlot());  // pending: no longer to be written
  ASSERT_TRUE(hardware_->Reset());
  Until([this] { return child_.Count("Reset") > 0; });
  EXPECT_EQ(child_.Count("Reset"), 1);
}

TEST_F(ChildHardwareTest, AResetWhoseAnswerGotLostIsNotSentAgain) {
  options_.repeat_ms = 20;
  child_.lose_answer = [this, lost = false]() mutable {
    if (lost || child_.Count("Reset") == 0) return false;
    return lost = true;
  };
  MustOpen();
  ASSERT_TRUE(hardware_->Reset());
  int asked = 0;
  Until([&] {
    const std::lock_guard lock(served_->mutex);
    if (child_.Count("Reset") == 0) asked = child_.Count("AskFacts");
    return child_.Count("AskFacts") >= asked + 2;
  });
  EXPECT_EQ(child_.Count("Reset"), 1);
}

TEST_F(ChildHardwareTest, DebtsAreSettledInTheChildsRecord) {
  child_.record.owed = true;
  child_.record.trial = 3;
  child_.record.job = 17;
  child_.record.reason = Reason::kWatchdog;
  MustOpen();
  EXPECT_FALSE(hardware_->boot().SettleRollback(2, 17));
  EXPECT_TRUE(hardware_->boot().facts().record.owed);
  ASSERT_TRUE(hardware_->boot().SettleRollback(3, 17));
  EXPECT_FALSE(hardware_->boot().facts().record.owed);
}

class TrialTest : public ChildHardwareTest {
 protected:
  TrialTest() {
    child_.record.confirmed = Slot::kB;
    child_.record.pending = Slot::kA;
    child_.record.started = true;
    child_.record.attempts_left = 2;
    child_.record.trial = 1;
    child_.record.job = 17;
    child_.facts.mode = static_cast<std::uint8_t>(BootMode::kTrial);
    child_.facts.tests = serial::Tests::kRunning;
  }
};

TEST_F(TrialTest, TheTestsHavePassedWhenTheChildHasConfirmed) {
  MustOpen();
  EXPECT_EQ(hardware_->boot().facts().mode, BootMode::kTrial);
  EXPECT_FALSE(hardware_->boot().StagingSlot());
  hardware_->StartTests();
  EXPECT_EQ(hardware_->boot().Confirm().error().reason, Reason::kNotAllowed);
  Change([this] {
    child_.record = Confirm(child_.record, Slot::kA).value();
    child_.facts.tests = serial::Tests::kPassed;
  });
  Until([this] { return !happened_.empty(); });
  EXPECT_NE(Happened<event::TestsPassed>(), nullptr);
  EXPECT_TRUE(hardware_->boot().Confirm());
  EXPECT_EQ(hardware_->boot().facts().mode, BootMode::kNormal);
}

TEST_F(TrialTest, AFailureInATrialIsTheChildsToRecordAndItsNextBootShowsIt) {
  MustOpen();
  hardware_->StartTests();
  Change([this] {
    child_.facts.tests = serial::Tests::kFailed;
    child_.facts.tests_detail = "peripheral:adc: reads 0 mV";
  });
  const int asked = child_.Count("AskFacts");
  Until([&] { return child_.Count("AskFacts") > asked; });
  Change([this] { child_.Restart(); });
  Until([this] { return hardware_->gone().has_value(); });
  EXPECT_EQ(Happened<event::TestFailed>(), nullptr);
  EXPECT_EQ(child_.Count("Reset"), 0);
}

TEST_F(TrialTest, AnUnprovenImageThatFailsIsToldWithTheTestsName) {
  child_.record = BootRecord{};
  child_.facts.mode = static_cast<std::uint8_t>(BootMode::kUnproven);
  MustOpen();
  hardware_->StartTests();
  Change([this] {
    child_.facts.tests = serial::Tests::kFailed;
    child_.facts.tests_detail = "memory:ram";
  });
  Until([this] { return !happened_.empty(); });
  ASSERT_NE(Happened<event::TestFailed>(), nullptr);
  EXPECT_EQ(Happened<event::TestFailed>()->detail, "memory:ram");
}

TEST_F(ChildHardwareTest, AChangeOfTheRecordIsTold) {
  MustOpen();
  Until([this] { return child_.Count("AskFacts") >= 2; });
  EXPECT_TRUE(happened_.empty());
  Change([this] { child_.record.floor = 5; });
  Until([this] { return !happened_.empty(); });
  ASSERT_NE(Happened<event::BootChanged>(), nullptr);
  EXPECT_EQ(Happened<event::BootChanged>()->facts.record.floor, 5U);
}

TEST_F(ChildHardwareTest, AChildInAnotherBootIsGoneAndWhatItWasDoingIsNoVerdict) {
  MustOpen();
  Stage();
  ASSERT_TRUE(hardware_->StartSealing(GoldenSeal()));
  Until([this] { return child_.Count("Write") > 3; });
  Change([this] { child_.Restart(); });
  Until([this] { return hardware_->gone().has_value(); });
  EXPECT_EQ(Happened<event::SealFailed>(), nullptr);
  EXPECT_EQ(Happened<event::Sealed>(), nullptr);
}

TEST_F(ChildHardwareTest, ASilentChildIsGone) {
  options_.repeat_ms = 20;
  MustOpen();
  {
    const std::lock_guard lock(served_->mutex);
    child_.lose_answer = [] { return true; };
  }
  EXPECT_EQ(hardware_->boot().RaiseFloor(3).error().reason, Reason::kTimeout);
  EXPECT_TRUE(hardware_->gone());
  EXPECT_TRUE(hardware_->Work(MonotonicMs()).empty());
}

TEST_F(ChildHardwareTest, TheSpoolIsAsLargeAsTheChildsSlotAndKeepsWhatItHolds) {
  MustOpen();
  Stage();
  MustOpen();
  std::vector<std::uint8_t> held(golden::Image().size());
  ASSERT_TRUE(hardware_->boot().StagingSlot().value()->Read(0, held));
  EXPECT_EQ(held, golden::Image());
  child_.facts.slot_bytes = 512 * 1024;
  child_.slot.assign(child_.facts.slot_bytes, 0xFF);
  MustOpen();
  EXPECT_EQ(std::filesystem::file_size(config_.InData(kSpoolFile)), 512U * 1024);
}

// --- connectivity ---

class RelayTest : public ChildHardwareTest {
 protected:
  serial::NonceWanted Wanted() {
    serial::NonceWanted wanted;
    wanted.nonce.fill(0x2A);
    return wanted;
  }
  void Serve(TestServer::Handler handler) {
    server_ = std::make_unique<TestServer>(platform_.server, platform_.device_ca.pem, std::move(handler));
    config_.https_urls = {server_->Url("")};
    http_.UseTls(platform_.ClientTls());
  }
  serial::Nonce Told() {
    MustOpen();
    served_->Tell(Wanted());
    served_->Tell(Wanted());
    Until([this] {
      const std::lock_guard lock(served_->mutex);
      return !child_.nonces.empty();
    });
    return child_.nonces.at(0);
  }
  TestPlatform platform_;
  std::unique_ptr<TestServer> server_;
};

TEST_F(RelayTest, TheNonceTravelsUnderTheChildsIdentityAndComesBackFresh) {
  Serve([](const TestRequest& request, TestServer::Reply& reply) {
    reply.Answer(200, "", "{\"nonce\":\"" + request.path.substr(request.path.find('=') + 1) + "\"}");
  });
  const serial::Nonce told = Told();
  EXPECT_EQ(told.relay, serial::Relay::kFresh);
  EXPECT_EQ(told.nonce, Wanted().nonce);
  ASSERT_EQ(server_->requests().size(), 1U);  // it was wanted twice, and asked for once
  EXPECT_EQ(server_->requests()[0].client, "dev-0001");
  EXPECT_NE(server_->requests()[0].path.find("2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a"), std::string::npos);
}

TEST_F(RelayTest, AnAnswerWithoutTheNonceIsNotFresh) {
  Serve([](const TestRequest&, TestServer::Reply& reply) {
    reply.Answer(200, "", R"({"nonce":"00112233445566778899aabbccddeeff"})");
  });
  EXPECT_EQ(Told().relay, serial::Relay::kNoPlatform);
}

TEST_F(RelayTest, NoPlatformIsNoFaultOfTheChild) {
  config_.https_urls = {"https://127.0.0.1:1"};
  http_.UseTls(platform_.ClientTls());
  EXPECT_EQ(Told().relay, serial::Relay::kNoPlatform);
}

}  // namespace
}  // namespace pawl::agent
