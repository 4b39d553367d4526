#include "agent/core/permit_check.h"

#include <gtest/gtest.h>

#include "trust/verify/golden.h"

namespace pawl::agent {
namespace {

class PermitCheck : public testing::Test {
 protected:
  PermitCheck() {
    boot_.mode = BootMode::kNormal;
    const Permit permit = golden::ThePermit();
    context_.device = "dev-0001";
    context_.job = 17;
    context_.verified = true;
    context_.manifest_digest = permit.manifest_digest;
    context_.ready = OpenReady{permit.nonce, 1000};
    context_.boot = &boot_;
  }
  PermitOutcome Check(std::uint64_t now_ms = 2000) const {
    return CheckPermit(VerifyPermit(golden::Hex(golden::kPermit), golden::TheKeys()), context_, now_ms);
  }
  void Expect(PermitVerdict verdict, Reason reason, std::uint64_t now_ms = 2000) const {
    EXPECT_EQ(Check(now_ms).verdict, verdict);
    EXPECT_EQ(Check(now_ms).reason, reason);
  }

  BootFacts boot_;
  PermitContext context_;
};

TEST_F(PermitCheck, HoldsWhenAllSevenDo) { Expect(PermitVerdict::kHolds, Reason::kNone); }

TEST_F(PermitCheck, P1EveryFlippedBitIsAnInvalidSignature) {
  const auto good = golden::Hex(golden::kPermit);
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ (1U << (bit % 8)));
    const PermitOutcome outcome = CheckPermit(VerifyPermit(bad, golden::TheKeys()), context_, 2000);
    ASSERT_EQ(outcome.verdict, PermitVerdict::kWrong) << bit;
    ASSERT_EQ(outcome.reason, Reason::kPermitSignature) << bit;
  }
}

TEST_F(PermitCheck, P2AnotherDevicesIsTold) {
  context_.device = "dev-0002";
  Expect(PermitVerdict::kWrong, Reason::kPermitOtherDevice);
}

TEST_F(PermitCheck, P3AnotherJobsOrAnUnverifiedOneIsIgnored) {
  context_.job = 18;
  Expect(PermitVerdict::kIgnore, Reason::kPermitStale);
  context_.job = 17;
  context_.verified = false;
  Expect(PermitVerdict::kIgnore, Reason::kPermitStale);
}

TEST_F(PermitCheck, P4AnotherImagesIsTold) {
  context_.manifest_digest[0] ^= 1;
  Expect(PermitVerdict::kWrong, Reason::kPermitOtherImage);
}

TEST_F(PermitCheck, P5AUsedOrOldNonceIsIgnored) {
  context_.ready->nonce[15] ^= 1;
  Expect(PermitVerdict::kIgnore, Reason::kPermitStale);
  context_.ready.reset();
  Expect(PermitVerdict::kIgnore, Reason::kPermitStale);
}

TEST_F(PermitCheck, P6ItsLifeEndsSixtySecondsAfterTheReady) {
  Expect(PermitVerdict::kHolds, Reason::kNone, 61'000);
  Expect(PermitVerdict::kLate, Reason::kPermitStale, 61'001);
  Expect(PermitVerdict::kLate, Reason::kPermitStale, 999);
}

TEST_F(PermitCheck, P7NotWhileTheRecordForbidsATrial) {
  boot_.mode = BootMode::kUnproven;
  Expect(PermitVerdict::kLate, Reason::kPrecondition);
  boot_.mode = BootMode::kNormal;
  boot_.record.owed = true;
  Expect(PermitVerdict::kLate, Reason::kPrecondition);
  boot_.record.owed = false;
  boot_.record.pending = Slot::kB;
  Expect(PermitVerdict::kLate, Reason::kPrecondition);
  boot_.record.pending.reset();
  boot_.slot = Slot::kB;
  Expect(PermitVerdict::kLate, Reason::kPrecondition);
}

}  // namespace
}  // namespace pawl::agent
