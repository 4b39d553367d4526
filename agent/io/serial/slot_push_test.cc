#include "agent/io/serial/slot_push.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <random>

#include "agent/io/serial/fake_child.h"
#include "agent/io/test_tls.h"

namespace pawl::agent {
namespace {

constexpr std::uint64_t kImageBytes = 150'000;  // nine sectors and a part

class SlotPushTest : public testing::Test {
 protected:
  SlotPushTest() {
    OwnedFd(::open((folder_ / "spool").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
    std::filesystem::resize_file(folder_ / "spool", child_.facts.slot_bytes);
    spool_ = FileFlash::Open(folder_ / "spool", kSlotFileOptions).value();
    image_.resize(kImageBytes);
    std::mt19937 random(3);
    for (std::uint8_t& byte : image_) byte = static_cast<std::uint8_t>(random());
    EXPECT_TRUE(spool_->Program(0, image_));
    envelope_.assign(2500, 0xA5);
    Connect();
  }
  // A new gateway process, or a line that was cut.
  void Connect() {
    SocketPair pair;
    push_.reset();
    line_ = std::move(pair.child);
    link_ = std::make_unique<ChildLink>(std::make_unique<SerialLine>(std::move(pair.gateway)), ChildLink::Options{});
    push_ = std::make_unique<SlotPush>(*link_);
    child_.bytes_programmed = 0;
    child_.requests.clear();
  }
  // Until the verdict, or until `enough` says so. Time goes on by a second whenever nothing else happens.
  std::optional<Status> Push(const std::function<bool()>& enough = [] { return false; }) {
    SlotPush::Image image{{}, kImageBytes, envelope_};
    image.manifest_digest.fill(9);
    push_->Start(*spool_, child_.facts.sector_bytes, image);
    for (int i = 0; i < 20'000 && !enough() && !link_->failed(); ++i) {
      const std::uint64_t before = link_->NextMs();
      link_->Work(now_ms_);
      child_.Serve(line_);
      if (auto verdict = push_->Take()) return verdict;
      if (link_->NextMs() == before) now_ms_ = before;
    }
    return std::nullopt;
  }
  static int Writes(std::uint64_t bytes) {
    return static_cast<int>((bytes + serial::kMaxDataBytes - 1) / serial::kMaxDataBytes);
  }
  void ExpectWhole() const {
    EXPECT_TRUE(std::equal(image_.begin(), image_.end(), child_.slot.begin()));
    EXPECT_EQ(child_.envelope, envelope_);
    EXPECT_TRUE(child_.sealed);
  }

  TestFolder folder_;
  std::unique_ptr<FileFlash> spool_;
  std::vector<std::uint8_t> image_;
  std::vector<std::uint8_t> envelope_;
  FakeChild child_;
  OwnedFd line_;
  std::unique_ptr<ChildLink> link_;
  std::unique_ptr<SlotPush> push_;
  std::uint64_t now_ms_ = 0;
};

TEST_F(SlotPushTest, BringsImageAndEnvelopeAndReturnsTheChildsVerdict) {
  const auto verdict = Push();
  ASSERT_TRUE(verdict);
  EXPECT_TRUE(*verdict);
  EXPECT_FALSE(push_->running());
  EXPECT_EQ(child_.bytes_programmed, kImageBytes);
  EXPECT_EQ(child_.Count("HashStaged"), 1);  // the first piece is not there, so nothing is
  ExpectWhole();
}

TEST_F(SlotPushTest, AfterAKillOfTheGatewayNoByteIsWrittenTwice) {
  Push([this] { return child_.written >= 70'000; });
  const std::uint64_t before = child_.written;
  ASSERT_LT(before, kImageBytes);
  Connect();
  ASSERT_TRUE(Push().value());
  EXPECT_EQ(child_.bytes_programmed, kImageBytes - before);
  EXPECT_EQ(child_.Count("Write"), Writes(kImageBytes - before));  // nor sent
  ExpectWhole();
}

TEST_F(SlotPushTest, AfterAResetOfTheChildItGoesOnAtTheLastSectorThatMatches) {
  Push([this] { return child_.written >= 70'000; });
  const std::uint64_t sector = (child_.written / child_.facts.sector_bytes - 1) * child_.facts.sector_bytes;
  child_.Restart();
  Connect();
  ASSERT_TRUE(Push().value());
  EXPECT_EQ(child_.bytes_programmed, kImageBytes - sector);
  ExpectWhole();
}

TEST_F(SlotPushTest, OfWhatIsThereAlreadyOnlyTheLastSectorIsWrittenAgain) {
  ASSERT_TRUE(Push().value());
  child_.Restart();
  Connect();
  ASSERT_TRUE(Push().value());
  const std::uint64_t sector_bytes = child_.facts.sector_bytes;
  EXPECT_EQ(child_.bytes_programmed, kImageBytes - (kImageBytes - 1) / sector_bytes * sector_bytes);
  ExpectWhole();
}

TEST_F(SlotPushTest, ASectorThatSpoiledMeanwhileIsWrittenAgainWithTheOneBeforeItAndAllThatFollows) {
  ASSERT_TRUE(Push().value());
  child_.slot[50'000] ^= 1;
  child_.Restart();
  Connect();
  ASSERT_TRUE(Push().value());
  EXPECT_EQ(child_.bytes_programmed,
            kImageBytes - (50'000 / child_.facts.sector_bytes - 1) * child_.facts.sector_bytes);
  ExpectWhole();
}

TEST_F(SlotPushTest, InSectorsLargerThanAPieceItResumesToo) {
  child_.facts.sector_bytes = 128 * 1024;
  Push([this] { return child_.written >= 140'000; });
  Connect();
  const std::uint64_t before = child_.written;
  ASSERT_TRUE(Push().value());
  EXPECT_EQ(child_.bytes_programmed, kImageBytes - before);
  EXPECT_EQ(child_.Count("Write"), Writes(kImageBytes - before));
  ExpectWhole();
}

TEST_F(SlotPushTest, LostRequestsAndAnswersCostTimeOnly) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    child_.slot.assign(child_.slot.size(), 0xFF);
    child_.Restart();
    Connect();
    std::mt19937 random(seed);
    child_.lose_request = [&random] { return random() % 5 == 0; };
    child_.lose_answer = [&random] { return random() % 5 == 0; };
    const auto verdict = Push();
    ASSERT_TRUE(verdict) << seed;
    EXPECT_TRUE(*verdict) << seed;
    EXPECT_EQ(child_.bytes_programmed, kImageBytes) << seed;
    ExpectWhole();
  }
}

TEST_F(SlotPushTest, ARefusalAnywhereIsTheVerdict) {
  child_.refuse_seal = serial::Refused{Reason::kInvalidSignature, "by the child's own keys"};
  const auto verdict = Push();
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->error().reason, Reason::kInvalidSignature);
  EXPECT_FALSE(push_->running());
}

TEST_F(SlotPushTest, ALinkThatFailsGivesNoVerdict) {
  child_.lose_answer = [this] { return child_.written >= 70'000; };
  EXPECT_FALSE(Push());
  EXPECT_TRUE(link_->failed());
  EXPECT_TRUE(push_->running());
}

TEST_F(SlotPushTest, AfterAStopOldAnswersAreDropped) {
  Push([this] { return child_.written >= 30'000; });
  push_->Stop();
  link_->Work(now_ms_);
  child_.Serve(line_);
  link_->Work(now_ms_);
  EXPECT_FALSE(push_->Take());
  EXPECT_EQ(link_->NextMs(), UINT64_MAX);
  ASSERT_TRUE(Push().value());
  ExpectWhole();
}

}  // namespace
}  // namespace pawl::agent
