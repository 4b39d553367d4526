// Hazard H15: duplicate, out-of-order and lost messages. Every way of delivering up to six messages (any order, any
// repetition, any loss) leads to the truth of the newest one delivered, and to the whole truth once the device, which
// goes on sending its newest snapshot until it is acknowledged, gets one message through.
#include <gtest/gtest.h>

#include <variant>

#include "platform/core/ledger.h"
#include "platform/core/test_states.h"

namespace pawl::platform {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)
using wire::Phase;

struct Message {
  wire::Session session = 0;  // a hello starts it, a state report belongs to it
  bool hello = false;
  std::uint8_t boot = 0;
  wire::State state;
};

// The platform's side, as data/reports.cc does it with rows.
struct Platform {
  DeviceView device;
  JobView job = Permitted();
  bool forked = false;

  void Deliver(const Message& message) {
    if (forked) return;
    if (message.hello) {
      const wire::Hello hello = HelloOf(message.state, message.boot, static_cast<std::uint8_t>(message.session));
      const HelloVerdict verdict = JudgeHello(device, hello);
      forked = verdict == HelloVerdict::kFork;
      if (forked || verdict == HelloVerdict::kLate) return;
      if (verdict == HelloVerdict::kAccept) device = WithHello(device, hello, message.session);
      if (Compare(device.told, message.state) == Standing::kOlder) return;
      Store(message.state, true);
    } else {
      const ReportVerdict verdict = JudgeReport(device, {message.session, message.state});
      forked = verdict == ReportVerdict::kFork;
      if (verdict == ReportVerdict::kAccept) Store(message.state, false);
    }
  }
  void Store(const wire::State& shown, bool fresh) {
    const Interpretation out = Interpret(device, {&job, 1}, shown, fresh);
    EXPECT_FALSE(out.restored_platform);
    for (const JobView& changed : out.changed) {
      EXPECT_GE(changed.status, job.status);
      job = changed;
    }
    device.told = shown;
  }
};

using Script = std::vector<Message>;

Platform Fresh() {
  Platform platform;
  platform.device.highest_n = kJobNumber;
  return platform;
}

// The newest snapshot that counts: of messages whose session has begun and not been replaced when they arrive.
const Message* NewestThatCounts(const Script& script, const std::vector<std::size_t>& order) {
  wire::Session session = 0;
  const Message* newest = nullptr;
  for (const std::size_t i : order) {
    if (i == script.size()) continue;  // lost
    const Message& message = script[i];
    if (message.hello && message.session > session) session = message.session;
    const bool counts = message.session == session;
    if (counts && (newest == nullptr || message.state.rev > newest->state.rev)) newest = &message;
  }
  return newest;
}

// A connection that was opened later is seen later: brokers end the old one first. So no first sight of an older hello.
bool CanHappen(const Script& script, const std::vector<std::size_t>& order) {
  wire::Session newest = 0;
  std::vector<bool> seen(script.size());
  for (const std::size_t i : order) {
    if (i == script.size() || !script[i].hello) continue;
    if (!seen[i] && script[i].session < newest) return false;
    seen[i] = true;
    newest = std::max(newest, script[i].session);
  }
  return true;
}

// What the job must be after the snapshot alone (each is complete).
JobStatus Truth(const Message* newest) {
  if (newest == nullptr || !newest->state.job) return JobStatus::kOffered;
  return FromPhase(newest->state.job->phase);
}

std::size_t CheckAllOrders(const Script& script) {
  Platform whole = Fresh();
  for (const Message& message : script) whole.Deliver(message);
  EXPECT_FALSE(whole.forked);
  EXPECT_TRUE(IsTerminal(whole.job.status));

  std::vector<std::size_t> order(script.size(), 0);  // each 0..size; size: lost
  std::size_t checked = 0;
  while (true) {
    if (CanHappen(script, order)) {
      ++checked;
      Platform platform = Fresh();
      for (const std::size_t i : order) {
        if (i < script.size()) platform.Deliver(script[i]);
      }
      EXPECT_FALSE(platform.forked);
      EXPECT_EQ(platform.job.status, Truth(NewestThatCounts(script, order)));
      // The device goes on: a new connection in its last boot, with its newest snapshot.
      Message last = script.back();
      last.hello = true;
      last.session = 99;
      platform.Deliver(last);
      EXPECT_EQ(platform.job, whole.job);
      EXPECT_EQ(platform.device.told, whole.device.told);
      if (::testing::Test::HasFailure()) return checked;
    }
    std::size_t digit = 0;
    while (digit < order.size() && ++order[digit] > script.size()) order[digit++] = 0;
    if (digit == order.size()) return checked;
  }
}

Message HelloAt(wire::Session session, std::uint8_t boot, const wire::State& state) {
  return {session, true, boot, state};
}
Message StateAt(wire::Session session, std::uint8_t boot, const wire::State& state) {
  return {session, false, boot, state};
}

TEST(EveryOrder, OfASuccessInOneSessionConverges) {
  EXPECT_EQ(CheckAllOrders({HelloAt(1, 1, Idle(1)), StateAt(1, 1, With(2, Phase::kAccepted)),
                            StateAt(1, 1, With(3, Phase::kVerified)), StateAt(1, 1, With(4, Phase::kCommitted)),
                            StateAt(1, 1, With(5, Phase::kTrial)), StateAt(1, 1, With(6, Phase::kSucceeded))}),
            117649U);
}

TEST(EveryOrder, OfASuccessOverTwoBootsConverges) {
  EXPECT_GT(CheckAllOrders({HelloAt(1, 1, Idle(1)), StateAt(1, 1, With(2, Phase::kVerified)),
                            StateAt(1, 1, With(3, Phase::kCommitted)), HelloAt(2, 2, With(4, Phase::kTrial)),
                            StateAt(2, 2, With(5, Phase::kSucceeded)), HelloAt(3, 2, With(5, Phase::kSucceeded))}),
            50000U);
}

TEST(EveryOrder, OfARollbackConverges) {
  EXPECT_GT(
      CheckAllOrders({HelloAt(1, 1, Idle(1)), StateAt(1, 1, With(2, Phase::kDownloading)),
                      StateAt(1, 1, With(3, Phase::kCommitted)), HelloAt(2, 2, WithDebt(4, Reason::kSelfTestFailed)),
                      StateAt(2, 2, With(5, Phase::kRolledBack, Reason::kSelfTestFailed))}),
      5000U);
}

TEST(EveryOrder, OfARefusalConverges) {
  EXPECT_EQ(CheckAllOrders({HelloAt(1, 1, Idle(1)), StateAt(1, 1, With(2, Phase::kAccepted)),
                            StateAt(1, 1, With(3, Phase::kDownloading)),
                            StateAt(1, 1, With(4, Phase::kRefused, Reason::kChunkDigest))}),
            625U);
}

TEST(TwoHolders, OfOneIdentityAreFoundWhicheverSpeaksNext) {  // H17
  // Both copies start from rev 3 and go on by themselves.
  for (const std::uint64_t other_rev : {3U, 4U, 5U}) {
    Platform platform = Fresh();
    platform.Deliver(HelloAt(1, 1, With(3, Phase::kDownloading)));
    platform.Deliver(StateAt(1, 1, With(4, Phase::kVerified)));
    platform.Deliver(HelloAt(2, 2, With(other_rev, Phase::kRefused, Reason::kChunkDigest)));
    platform.Deliver(HelloAt(3, 1, With(5, Phase::kCommitted)));
    EXPECT_TRUE(platform.forked) << other_rev;
  }
}

}  // namespace
}  // namespace pawl::platform
