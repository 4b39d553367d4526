#include "boot/core/decide.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace pawl {
namespace {

constexpr Digest kTrialDigest{1, 2, 3};
constexpr Digest kOtherDigest{9};
constexpr std::uint8_t kCounters[] = {0, 1, 3, 4, 8, 9, 255};
constexpr std::uint16_t kCounts[] = {0, 0xFFFF};
constexpr ResetCause kCauses[] = {ResetCause::kPower, ResetCause::kWatchdog, ResetCause::kSoftware, ResetCause::kOther};

SlotFacts Good(const Digest& digest, std::uint64_t sequence = 1) {
  return {.verified = true, .manifest_digest = digest, .sequence = sequence, .security_version = 1};
}
SlotFacts Bad() { return {.verified = false, .why = Reason::kInvalidSignature}; }
SlotFacts SlotOf(bool verified, const Digest& digest) { return verified ? Good(digest) : Bad(); }

std::string RowsOf(const BootDecision& decision) {
  std::string text;
  for (const BootRow row : decision.rows) text += std::string(text.empty() ? "" : " ") + std::string(Text(row));
  return text;
}

// Every record that matters to the decision, with every verdict about both slots and every cause.
void ForEachInput(const std::function<void(const BootRecord&, const BootFacts&)>& visit) {
  const std::optional<Slot> pendings[] = {std::nullopt, Slot::kA, Slot::kB};
  for (unsigned bits = 0; bits < 128; ++bits) {
    const auto bit = [bits](unsigned i) { return ((bits >> i) & 1) != 0; };
    for (const auto& pending : pendings) {
      for (const std::uint8_t attempts : kCounters) {
        for (const std::uint8_t power : kCounters) {
          for (const Reason emergency : {Reason::kNone, Reason::kNothingBootable, Reason::kRecordLost}) {
            for (const std::uint16_t count : kCounts) {
              BootRecord record;
              record.confirmed = bit(0) ? Slot::kB : Slot::kA;
              record.proven = bit(1);
              record.started = bit(2);
              record.owed = bit(3);
              record.reason = bit(4) ? Reason::kSelfTestFailed : Reason::kNone;
              record.detail = bit(4) ? "connectivity" : "";
              record.pending = pending;
              record.attempts_left = attempts;
              record.power_attempts_left = power;
              record.emergency_reason = emergency;
              record.emergency_count = count;
              record.trial = 4;
              record.job = 77;
              record.floor = 2;
              record.trial_digest = kTrialDigest;
              for (const bool same_manifest : {true, false}) {
                for (const ResetCause cause : kCauses) {
                  BootFacts facts;
                  facts.cause = cause;
                  const Digest& digest = same_manifest ? kTrialDigest : kOtherDigest;
                  facts.slots = {SlotOf(bit(5), digest), SlotOf(bit(6), digest)};
                  visit(record, facts);
                }
              }
            }
          }
        }
      }
    }
  }
}

// --- The table, said once more: each row by its own condition and change, applied by one dumb loop. ---

struct Machine {
  BootRecord r;
  const BootFacts& facts;
  std::optional<Slot> runs;
  BootMode mode = BootMode::kUnproven;

  bool V(Slot slot) const { return facts.of(slot).verified; }
  bool Pending() const { return r.pending.has_value(); }
  Slot P() const { return *r.pending; }
  Slot C() const { return r.confirmed; }
  bool Power() const { return facts.cause == ResetCause::kPower; }
  void Boot(Slot slot, BootMode with) {
    runs = slot;
    mode = with;
  }
  void Emergency(Reason reason) {
    r.emergency_reason = reason;
    r.emergency_count = static_cast<std::uint16_t>(r.emergency_count == 0xFFFF ? 0xFFFF : r.emergency_count + 1);
  }
  void Rollback() {
    r.pending = std::nullopt;
    r.owed = true;
  }
};

struct Row {
  const char* name;
  int group;  // the first match of a group applies; a group that ends the decision names none after it
  bool (*when)(const Machine&);
  void (*change)(Machine&);
};

const Row kTable[] = {
    {"N1", 1, [](const Machine& m) { return m.r.pending == m.r.confirmed; },
     [](Machine& m) { m.r.pending = std::nullopt; }},
    {"N2", 2, [](const Machine& m) { return m.Pending() && m.r.owed; }, [](Machine& m) { m.r.pending = std::nullopt; }},
    {"N3", 3, [](const Machine& m) { return m.r.attempts_left > 3 || m.r.power_attempts_left > 8; },
     [](Machine& m) {
       if (m.r.attempts_left > 3) m.r.attempts_left = 3;
       if (m.r.power_attempts_left > 8) m.r.power_attempts_left = 8;
     }},
    {"B3", 4,
     [](const Machine& m) {
       return m.Pending() && (!m.V(m.P()) || m.facts.of(m.P()).manifest_digest != m.r.trial_digest);
     },
     [](Machine& m) {
       if (m.r.reason == Reason::kNone) {
         m.r.reason = Reason::kInvalidImage;
         m.r.detail = m.V(m.P()) ? "other manifest" : "invalid signature";
       }
       m.Rollback();
     }},
    {"B4", 4, [](const Machine& m) { return m.Pending() && m.r.started && m.r.reason != Reason::kNone; },
     [](Machine& m) { m.Rollback(); }},
    {"B5", 4, [](const Machine& m) { return m.Pending() && m.r.started && m.Power() && m.r.power_attempts_left > 0; },
     [](Machine& m) {
       m.r.power_attempts_left--;
       m.Boot(m.P(), BootMode::kTrial);
     }},
    {"B6", 4, [](const Machine& m) { return m.Pending() && (!m.r.started || !m.Power()) && m.r.attempts_left > 0; },
     [](Machine& m) {
       m.r.attempts_left--;
       m.r.started = true;
       m.Boot(m.P(), BootMode::kTrial);
     }},
    {"B7", 4, [](const Machine& m) { return m.Pending(); },
     [](Machine& m) {
       m.r.reason = m.facts.cause == ResetCause::kWatchdog ? Reason::kWatchdog
                    : m.Power()                            ? Reason::kPower
                                                           : Reason::kCrash;
       m.Rollback();
     }},
    {"B8", 5, [](const Machine& m) { return m.V(m.C()); },
     [](Machine& m) { m.Boot(m.C(), m.r.proven ? BootMode::kNormal : BootMode::kUnproven); }},
    {"B9", 5, [](const Machine& m) { return m.V(Other(m.C())); },
     [](Machine& m) {
       m.r.confirmed = Other(m.C());
       m.r.proven = false;
       m.Emergency(Reason::kConfirmedInvalid);
       m.Boot(m.C(), BootMode::kUnproven);
     }},
    {"B10", 5, [](const Machine&) { return true; },
     [](Machine& m) {
       if (m.r.emergency_reason != Reason::kNothingBootable) m.Emergency(Reason::kNothingBootable);
     }},
};

std::string ApplyTable(Machine& machine) {
  std::string rows;
  int done = 0;
  for (const Row& row : kTable) {
    if (row.group <= done || machine.runs || !row.when(machine)) continue;
    row.change(machine);
    done = row.group;
    rows += std::string(rows.empty() ? "" : " ") + row.name;
  }
  return rows;
}

TEST(Decide, FollowsTheTableForEveryRecordAndEveryInput) {
  std::uint64_t inputs = 0;
  ForEachInput([&inputs](const BootRecord& record, const BootFacts& facts) {
    ++inputs;
    const BootDecision decision = Decide({RecordKind::kValid, record}, facts);
    Machine expected{record, facts, std::nullopt};
    const std::string rows = ApplyTable(expected);
    if (RowsOf(decision) != rows || decision.slot != expected.runs || decision.next != expected.r ||
        (decision.slot && decision.mode != expected.mode) || decision.commit != (expected.r != record)) {
      FAIL() << RowsOf(decision) << ", the table says " << rows;
    }
  });
  std::printf("%llu inputs\n", static_cast<unsigned long long>(inputs));
  EXPECT_EQ(inputs, 128ULL * 3 * 7 * 7 * 3 * 2 * 2 * 4);
}

TEST(Decide, IsRecoveryExactlyWhenNoSlotVerifiesAndNeverBootsAnUnverifiedSlot) {
  ForEachInput([](const BootRecord& record, const BootFacts& facts) {
    const BootDecision decision = Decide({RecordKind::kValid, record}, facts);
    const bool none = !facts.slots[0].verified && !facts.slots[1].verified;
    ASSERT_EQ(decision.recovery(), none);
    if (decision.slot) {
      ASSERT_TRUE(facts.of(*decision.slot).verified);
    }
  });
}

TEST(Decide, NeverClearsADebtNorTouchesFloorJobOrTrialNumber) {
  ForEachInput([](const BootRecord& record, const BootFacts& facts) {
    const BootRecord next = Decide({RecordKind::kValid, record}, facts).next;
    ASSERT_TRUE(!record.owed || next.owed);
    ASSERT_TRUE(next.floor == record.floor && next.job == record.job && next.trial == record.trial);
    // A trial that ends without being confirmed leaves a debt.
    ASSERT_TRUE(!record.pending || next.pending || next.owed || record.pending == record.confirmed);
  });
}

TEST(Decide, ACutAfterTheCommitLeadsToTheSameDecision) {
  ForEachInput([](const BootRecord& record, const BootFacts& facts) {
    const BootDecision first = Decide({RecordKind::kValid, record}, facts);
    for (const ResetCause cause : {facts.cause, ResetCause::kPower}) {
      BootFacts again = facts;
      again.cause = cause;
      const BootDecision second = Decide({RecordKind::kValid, first.next}, again);
      if (first.mode == BootMode::kTrial && first.slot) {
        // Another attempt of the same trial, or, when none is left, its rollback: never a third thing.
        ASSERT_TRUE(second.next.owed || (second.slot == first.slot && second.mode == BootMode::kTrial));
      } else {
        ASSERT_EQ(second.slot, first.slot);
        ASSERT_EQ(second.next, first.next);
        ASSERT_FALSE(second.commit);
      }
    }
  });
}

TEST(Decide, ATrialThatNeverConfirmsEndsAfterAtMostItsAttemptsWhateverTheCauses) {
  for (unsigned pattern = 0; pattern < 4096; ++pattern) {
    BootRecord record;
    record.pending = Slot::kB;
    record.attempts_left = kMaxAttempts;
    record.power_attempts_left = kMaxPower;
    record.trial_digest = kTrialDigest;
    int attempts = 0;
    int power = 0;
    for (unsigned boot = 0;; ++boot) {
      BootFacts facts{.slots = {Good(kOtherDigest), Good(kTrialDigest)}};
      facts.cause = ((pattern >> (boot % 12)) & 1) != 0 ? ResetCause::kPower : kCauses[1 + boot % 3];
      const BootDecision decision = Decide({RecordKind::kValid, record}, facts);
      record = decision.next;
      if (decision.mode != BootMode::kTrial) break;
      decision.row() == BootRow::kB5 ? ++power : ++attempts;
      ASSERT_LE(boot, 11U);
    }
    ASSERT_LE(attempts, kMaxAttempts);
    ASSERT_LE(power, kMaxPower);
    ASSERT_TRUE(record.owed && !record.pending && record.confirmed == Slot::kA);
  }
}

TEST(Decide, EightPowerLossesInATrialAreARollbackWithReasonPower) {
  BootRecord record;
  record.pending = Slot::kB;
  record.attempts_left = kMaxAttempts;
  record.power_attempts_left = kMaxPower;
  record.trial_digest = kTrialDigest;
  const BootFacts facts{.slots = {Good(kOtherDigest), Good(kTrialDigest)}, .cause = ResetCause::kPower};
  for (int boot = 0; boot < 9; ++boot) {
    const BootDecision decision = Decide({RecordKind::kValid, record}, facts);
    ASSERT_EQ(decision.row(), boot == 0 ? BootRow::kB6 : BootRow::kB5);
    record = decision.next;
  }
  const BootDecision last = Decide({RecordKind::kValid, record}, facts);
  EXPECT_EQ(RowsOf(last), "B7 B8");
  EXPECT_EQ(last.next.reason, Reason::kPower);
  EXPECT_EQ(last.next.attempts_left, 2);
}

TEST(Decide, ABlankOrLostRecordTakesTheVerifiedSlotWithTheLowerSequenceNumber) {
  struct Case {
    SlotFacts a;
    SlotFacts b;
    std::optional<Slot> boots;
  };
  const Case cases[] = {
      {Good({}, 5), Good({}, 5), Slot::kA}, {Good({}, 5), Good({}, 4), Slot::kB}, {Good({}, 4), Good({}, 5), Slot::kA},
      {Good({}, 9), Bad(), Slot::kA},       {Bad(), Good({}, 9), Slot::kB},       {Bad(), Bad(), std::nullopt},
  };
  for (const Case& c : cases) {
    for (const RecordKind kind : {RecordKind::kBlank, RecordKind::kLost}) {
      const bool lost = kind == RecordKind::kLost;
      const BootDecision decision = Decide({kind, {}}, {.slots = {c.a, c.b}, .cause = ResetCause::kPower});
      EXPECT_EQ(decision.slot, c.boots);
      EXPECT_EQ(decision.commit, c.boots.has_value());
      EXPECT_EQ(RowsOf(decision), !c.boots ? "B0" : lost ? "B2" : "B1");
      if (!c.boots) continue;
      EXPECT_EQ(decision.mode, BootMode::kUnproven);
      BootRecord expected;
      expected.confirmed = *c.boots;
      expected.emergency_reason = lost ? Reason::kRecordLost : Reason::kNone;
      expected.emergency_count = lost ? 1 : 0;
      EXPECT_EQ(decision.next, expected);
    }
  }
}

TEST(BootRows, KeepTheOrderOfTheTable) {
  BootRows rows;
  EXPECT_EQ(rows.begin(), rows.end());
  for (const BootRow row : {BootRow::kN1, BootRow::kN3, BootRow::kB3, BootRow::kB10}) rows.Add(row);
  const std::vector<BootRow> all(rows.begin(), rows.end());
  EXPECT_EQ(all, (std::vector<BootRow>{BootRow::kN1, BootRow::kN3, BootRow::kB3, BootRow::kB10}));
  EXPECT_EQ(rows.last(), BootRow::kB10);
}

TEST(WithoutCommit, AnAttemptThatIsNotCountedIsNotMadeAndEverythingElseGoesOn) {
  ForEachInput([](const BootRecord& record, const BootFacts& facts) {
    const RecordState state{RecordKind::kValid, record};
    const BootDecision wanted = Decide(state, facts);
    BootDecision kept = wanted;
    WithoutCommit(state, facts, kept);
    ASSERT_FALSE(kept.commit);
    ASSERT_EQ(kept.next, record);
    ASSERT_EQ(kept.recovery(), wanted.recovery());
    if (!kept.slot) return;
    ASSERT_NE(kept.mode, BootMode::kTrial);
    ASSERT_TRUE(facts.of(*kept.slot).verified);
    if (wanted.mode != BootMode::kTrial) {
      ASSERT_EQ(kept.slot, wanted.slot);
    } else if (facts.of(record.confirmed).verified) {
      ASSERT_EQ(kept.slot, record.confirmed);
    }
  });
}

}  // namespace
}  // namespace pawl
