#include "agent/core/ledger.h"

#include <gtest/gtest.h>

#include "trust/crypto/crypto.h"
#include "trust/verify/golden.h"

namespace pawl::agent {
namespace {

Ledger FullLedger() {
  Ledger ledger;
  ledger.journal.fill(0xAB);
  ledger.rev = 77;
  ledger.time_floor = 1'798'761'600;
  wire::JobState job;
  job.n = 17;
  job.digest.fill(0x11);
  job.phase = wire::Phase::kRefused;
  job.reason = Reason::kChunkDigest;
  job.detail = std::string(wire::kMaxDetailBytes, 'd');
  for (std::uint64_t i = 0; i < wire::kMaxSteps; ++i) job.steps.push_back({wire::Phase::kDownloading, 1000 + i});
  ledger.job = job;
  return ledger;
}

void ExpectSame(const Ledger& a, const Ledger& b) {
  EXPECT_EQ(a.journal, b.journal);
  EXPECT_EQ(a.rev, b.rev);
  EXPECT_EQ(a.time_floor, b.time_floor);
  ASSERT_EQ(a.job.has_value(), b.job.has_value());
  if (!a.job) return;
  EXPECT_EQ(a.job->n, b.job->n);
  EXPECT_EQ(a.job->digest, b.job->digest);
  EXPECT_EQ(a.job->phase, b.job->phase);
  EXPECT_EQ(a.job->reason, b.job->reason);
  EXPECT_EQ(a.job->detail, b.job->detail);
  ASSERT_EQ(a.job->steps.size(), b.job->steps.size());
  for (std::size_t i = 0; i < a.job->steps.size(); ++i) {
    EXPECT_EQ(a.job->steps[i].phase, b.job->steps[i].phase);
    EXPECT_EQ(a.job->steps[i].at, b.job->steps[i].at);
  }
}

TEST(Ledger, ReadsBackTheLargestAndTheEmptyOne) {
  ExpectSame(DecodeLedger(EncodeLedger(FullLedger())).value(), FullLedger());
  ExpectSame(DecodeLedger(EncodeLedger(Ledger{})).value(), Ledger{});
}

// A device that is updated or falls back reads what another version wrote: these bytes may never change meaning.
TEST(Ledger, HasTheseGoldenBytes) {
  const CellBytes cell = EncodeCell(kLedgerKind, {9, EncodeLedger(FullLedger())});
  std::array<char, 64> hex{};
  EXPECT_EQ(HexEncode(crypto::Hash(cell), hex), "97392725d11d86c0dca2535a459246ed1fd488d8be30551589e768df82523d6c");
  EXPECT_EQ(AsText(ByteView(cell).first(4)), "PWL1");
  EXPECT_EQ(cell[4], 1);      // version
  EXPECT_EQ(cell[8], 9);      // generation
  EXPECT_EQ(cell[16], 0xAB);  // journal
  EXPECT_EQ(cell[32], 77);    // rev
  EXPECT_EQ(cell[48], 1);     // has a job
  EXPECT_EQ(cell[49], 17);    // n
  EXPECT_EQ(cell[89], 7);     // phase: refused
}

TEST(Ledger, NeverHoldsWhatTheBootRecordAloneMaySay) {
  for (const wire::Phase phase : {wire::Phase::kTrial, wire::Phase::kSucceeded, wire::Phase::kRolledBack}) {
    Ledger ledger = FullLedger();
    ledger.job->phase = phase;
    EXPECT_FALSE(DecodeLedger(EncodeLedger(ledger)));
  }
}

TEST(Ledger, CutsWhatDoesNotFit) {
  Ledger ledger = FullLedger();
  ledger.job->detail += "more";
  ledger.job->steps.push_back({wire::Phase::kRefused, 5000});
  const Ledger back = DecodeLedger(EncodeLedger(ledger)).value();
  EXPECT_EQ(back.job->detail.size(), wire::kMaxDetailBytes);
  ASSERT_EQ(back.job->steps.size(), wire::kMaxSteps);
  EXPECT_EQ(back.job->steps.back().at, 5000U);
}

TEST(Ledger, RefusesValuesOutOfRange) {
  const CellPayload good = EncodeLedger(FullLedger());
  const auto with = [&](std::size_t at, std::uint8_t value) {
    CellPayload payload = good;
    payload[at] = value;
    return DecodeLedger(payload).has_value();
  };
  EXPECT_FALSE(with(32, 2));    // job flag
  EXPECT_FALSE(with(73, 200));  // phase
  EXPECT_FALSE(with(76, 255));  // detail bytes
  EXPECT_FALSE(with(317, 17));  // steps
  EXPECT_FALSE(with(318, 9));   // a step's phase
}

TEST(Journal, ReadsBackWhatWasWritten) {
  DownloadJournal journal;
  journal.manifest.fill(0x22);
  journal.chunks = 4096;
  const DownloadJournal back = DecodeJournal(EncodeJournal(journal));
  EXPECT_EQ(back.manifest, journal.manifest);
  EXPECT_EQ(back.chunks, journal.chunks);
}

}  // namespace
}  // namespace pawl::agent
