#include "agent/io/serial/child_link.h"

#include <gtest/gtest.h>

#include <random>

#include "agent/io/serial/fake_child.h"

namespace pawl::agent {
namespace {

constexpr ChildLink::Options kOptions{.repeat_ms = 1000, .seal_repeat_ms = 20'000, .tries = 8};

// Time is an argument, the partner is read and answered by the test itself: nothing here waits.
class ChildLinkTest : public testing::Test {
 protected:
  void AskFacts() {
    link_.Ask(serial::AskFacts{}, [this](const ChildLink::Answer& answer) { answers_.push_back(answer); });
  }
  // The requests that have come, undecoded ones excluded.
  std::vector<serial::NumberedRequest> Requests() {
    const auto payloads = partner_.Service();
    std::vector<serial::NumberedRequest> requests;
    if (payloads) {
      for (const auto& payload : *payloads) requests.push_back(serial::DecodeRequest(payload).value());
    }
    return requests;
  }
  void Answer(std::uint8_t number, const serial::Answer& answer) {
    partner_.Send(serial::Encode(serial::NumberedAnswer{number, answer}));
  }

  SocketPair pair_;
  SerialLine partner_{std::move(pair_.child)};
  ChildLink link_{std::make_unique<SerialLine>(std::move(pair_.gateway)), kOptions};
  std::vector<ChildLink::Answer> answers_;
};

TEST_F(ChildLinkTest, OneRequestIsOnItsWayAtATimeEachWithItsNumber) {
  AskFacts();
  AskFacts();
  link_.Work(0);
  auto first = Requests();
  ASSERT_EQ(first.size(), 1U);
  Answer(first[0].number, serial::Facts{});
  link_.Work(1);
  auto second = Requests();
  ASSERT_EQ(second.size(), 1U);
  EXPECT_NE(second[0].number, first[0].number);
  EXPECT_EQ(answers_.size(), 1U);
}

TEST_F(ChildLinkTest, ALostRequestIsSentAgainWithTheSameNumber) {
  AskFacts();
  link_.Work(0);
  const auto first = Requests();
  link_.Work(999);
  EXPECT_TRUE(Requests().empty());
  EXPECT_EQ(link_.NextMs(), 1000U);
  link_.Work(1000);
  const auto again = Requests();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].number, first[0].number);
  Answer(again[0].number, serial::Facts{});
  Answer(again[0].number, serial::Facts{});  // the first answer was only late
  link_.Work(1001);
  EXPECT_EQ(answers_.size(), 1U);
  EXPECT_EQ(link_.NextMs(), UINT64_MAX);
}

TEST_F(ChildLinkTest, AnAnswerToAnotherNumberIsOldAndDropped) {
  AskFacts();
  link_.Work(0);
  const auto asked = Requests();
  Answer(static_cast<std::uint8_t>(asked[0].number - 1), serial::Done{});
  link_.Work(1);
  EXPECT_TRUE(answers_.empty());
  Answer(asked[0].number, serial::Facts{});
  link_.Work(2);
  EXPECT_EQ(answers_.size(), 1U);
}

TEST_F(ChildLinkTest, AnAnswerBeforeTheRequestWasSentIsNone) {
  AskFacts();
  Answer(0, serial::Facts{});
  link_.Work(0);
  EXPECT_TRUE(answers_.empty());
  EXPECT_EQ(Requests().size(), 1U);
}

TEST_F(ChildLinkTest, NoiseAndForeignFramesHarmNothing) {
  AskFacts();
  link_.Work(0);
  const auto asked = Requests();
  std::mt19937 random(1);
  for (int i = 0; i < 50; ++i) {
    serial::Payload noise;
    const std::size_t size = 1 + random() % 200;
    for (std::size_t k = 0; k < size; ++k) noise.push_back(static_cast<std::uint8_t>(random() | 0x40));
    partner_.Send(noise);
    link_.Work(1);
  }
  EXPECT_TRUE(answers_.empty());
  Answer(asked[0].number, serial::Facts{});
  link_.Work(2);
  EXPECT_EQ(answers_.size(), 1U);
  EXPECT_FALSE(link_.failed());
}

TEST_F(ChildLinkTest, ARefusalIsTheErrorThatItNames) {
  link_.Ask(serial::Seal{}, [this](const ChildLink::Answer& answer) { answers_.push_back(answer); });
  link_.Work(0);
  Answer(Requests()[0].number, serial::Refused{Reason::kImageDigest, "read back"});
  link_.Work(1);
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_EQ(answers_[0].error().reason, Reason::kImageDigest);
  EXPECT_EQ(answers_[0].error().detail.view(), "read back");
  EXPECT_FALSE(link_.failed());
}

TEST_F(ChildLinkTest, SealHasItsTime) {
  link_.Ask(serial::Seal{}, [](const ChildLink::Answer&) {});
  link_.Work(0);
  EXPECT_EQ(Requests().size(), 1U);
  link_.Work(19'999);
  EXPECT_TRUE(Requests().empty());
  link_.Work(20'000);
  EXPECT_EQ(Requests().size(), 1U);
}

TEST_F(ChildLinkTest, AChildThatDoesNotAnswerIsGoneAndNobodyHearsOfIt) {
  AskFacts();
  std::size_t sent = 0;
  for (std::uint64_t ms = 0; ms < 8000; ms += 500) {
    link_.Work(ms);
    sent += Requests().size();
    EXPECT_FALSE(link_.failed()) << ms;
  }
  EXPECT_EQ(sent, 8U);
  link_.Work(8000);
  ASSERT_TRUE(link_.failed());
  EXPECT_EQ(link_.failed()->reason, Reason::kTimeout);
  EXPECT_EQ(link_.failed()->detail.view(), "the child does not answer AskFacts");
  EXPECT_TRUE(answers_.empty());
  AskFacts();  // harmless
  EXPECT_EQ(link_.Call(serial::AskFacts{}).error().reason, Reason::kTimeout);
}

TEST_F(ChildLinkTest, AChildThatStartsAnewIsGone) {
  serial::Started started;
  started.boot.fill(7);
  link_.ExpectBoot(started.boot);
  partner_.Send(serial::Encode(serial::Telling(started)));
  link_.Work(0);
  EXPECT_FALSE(link_.failed());
  started.boot[3] = 8;
  partner_.Send(serial::Encode(serial::Telling(started)));
  link_.Work(1);
  ASSERT_TRUE(link_.failed());
  EXPECT_EQ(link_.failed()->reason, Reason::kUnavailable);
}

TEST_F(ChildLinkTest, WhatWaitsForASlowChildIsBounded) {
  for (int i = 0; i < 1000; ++i) link_.Tell(serial::Nonce{});
  ASSERT_TRUE(link_.failed());
  EXPECT_EQ(link_.failed()->reason, Reason::kUnavailable);
}

TEST_F(ChildLinkTest, AClosedLineIsToldAtOnce) {
  AskFacts();
  link_.Work(0);
  partner_ = SerialLine(OwnedFd());
  link_.Work(1);
  ASSERT_TRUE(link_.failed());
  EXPECT_EQ(link_.failed()->reason, Reason::kUnavailable);
}

TEST_F(ChildLinkTest, WhatIsOnlyToldIsSentOnceAndInItsTurn) {
  AskFacts();
  link_.Tell(serial::Reset{});
  link_.Work(0);
  const auto asked = Requests();
  ASSERT_EQ(asked.size(), 1U);
  Answer(asked[0].number, serial::Facts{});
  link_.Work(1);
  const auto told = Requests();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<serial::Reset>(told[0].request));
  link_.Work(60'000);
  EXPECT_TRUE(Requests().empty());
  EXPECT_FALSE(link_.failed());
}

TEST_F(ChildLinkTest, TellingsComeInTheirOrderAndOnlyTheNewestAreKept) {
  for (int i = 0; i < 40; ++i) {
    serial::NonceWanted wanted;
    wanted.nonce[0] = static_cast<std::uint8_t>(i);
    partner_.Send(serial::Encode(serial::Telling(wanted)));
    link_.Work(0);
  }
  std::vector<int> got;
  while (const auto telling = link_.TakeTelling()) got.push_back(std::get<serial::NonceWanted>(*telling).nonce[0]);
  ASSERT_EQ(got.size(), 16U);
  EXPECT_EQ(got.front(), 24);
  EXPECT_EQ(got.back(), 39);
}

TEST_F(ChildLinkTest, AChildOfANewerVersionIsToldByName) {
  AskFacts();
  link_.Work(0);
  serial::Payload facts = serial::Encode(serial::NumberedAnswer{Requests()[0].number, serial::Facts{}});
  facts[2] = 9;
  partner_.Send(facts);
  link_.Work(1);
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_EQ(answers_[0].error().reason, Reason::kUnsupportedVersion);
}

TEST(ChildLink, ACallReturnsItsOwnAnswerAfterThoseThatWereAskedBefore) {
  FakeChild child;
  SocketPair pair;
  ServedChild served(child, std::move(pair.child));
  ChildLink link(std::make_unique<SerialLine>(std::move(pair.gateway)), kOptions);
  bool first = false;
  link.Ask(serial::HashStaged{0, 1}, [&first](const ChildLink::Answer&) { first = true; });
  const auto facts = As<serial::Facts>(link.Call(serial::AskFacts{}));
  ASSERT_TRUE(facts) << facts.error().detail.view();
  EXPECT_TRUE(first);
  EXPECT_EQ(facts->image_version.view(), "1.0.0");
  EXPECT_EQ(As<serial::Done>(link.Call(serial::AskFacts{})).error().reason, Reason::kMalformed);
}

}  // namespace
}  // namespace pawl::agent
