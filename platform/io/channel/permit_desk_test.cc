#include "platform/io/channel/permit_desk.h"

#include <gtest/gtest.h>

#include <map>

namespace pawl {
namespace {

using std::chrono::seconds;

data::PermitFacts Facts(const std::string& device, std::uint8_t nonce) {
  data::PermitFacts facts{.session = 1, .job = 7, .job_id = "j", .device = device, .use_within_s = 60};
  facts.nonce.fill(nonce);
  return facts;
}

// A signer that can be held back, and the answers that came.
class PermitDeskTest : public testing::Test {
 protected:
  PermitDeskTest()
      : desk_([this](const Permit& permit) { return Sign(permit); },
              [this](const data::PermitFacts& facts, const Result<std::vector<std::uint8_t>>& permit) {
                const std::scoped_lock lock(mutex_);
                answers_[facts.device].push_back(permit);
                changed_.notify_all();
              }) {}

  Result<std::vector<std::uint8_t>> Sign(const Permit& permit) {
    std::unique_lock lock(mutex_);
    ++calls_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_; });
    if (error_) return std::unexpected(*error_);
    return std::vector<std::uint8_t>{permit.nonce[0]};
  }
  void Set(bool held, std::optional<Error> error) {
    const std::scoped_lock lock(mutex_);
    held_ = held;
    error_ = error;
    changed_.notify_all();
  }
  bool WaitAnswers(const std::string& device, std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(20), [&] { return answers_[device].size() >= count; });
  }
  bool WaitCalls(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(20), [&] { return calls_ >= count; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  std::optional<Error> error_;
  int calls_ = 0;
  std::map<std::string, std::vector<Result<std::vector<std::uint8_t>>>> answers_;
  PermitDesk desk_;
};

TEST_F(PermitDeskTest, SignsWhatWasAskedFor) {
  desk_.Start();
  ASSERT_TRUE(desk_.Submit(Facts("dev-1", 5)));
  ASSERT_TRUE(WaitAnswers("dev-1", 1));
  EXPECT_EQ(answers_["dev-1"][0], std::vector<std::uint8_t>{5});
}

TEST_F(PermitDeskTest, ANewerRequestOfADeviceReplacesItsWaitingOne) {
  Set(true, std::nullopt);
  desk_.Start();
  ASSERT_TRUE(desk_.Submit(Facts("busy-1", 1)));
  ASSERT_TRUE(desk_.Submit(Facts("busy-2", 1)));
  ASSERT_TRUE(WaitCalls(2));  // both workers are held
  for (std::uint8_t nonce = 1; nonce <= 9; ++nonce) ASSERT_TRUE(desk_.Submit(Facts("dev-1", nonce)));
  EXPECT_EQ(desk_.waiting(), 1U);
  Set(false, std::nullopt);
  ASSERT_TRUE(WaitAnswers("dev-1", 1));
  EXPECT_EQ(answers_["dev-1"][0], std::vector<std::uint8_t>{9});
}

TEST_F(PermitDeskTest, TheQueueIsBounded) {
  for (std::size_t i = 0; i < kMaxPermitQueue; ++i) ASSERT_TRUE(desk_.Submit(Facts("dev-" + std::to_string(i), 1)));
  EXPECT_FALSE(desk_.Submit(Facts("one-more", 1)));
  EXPECT_TRUE(desk_.Submit(Facts("dev-0", 2))) << "who waits already may still renew";
}

TEST_F(PermitDeskTest, ADeadSignerIsNotAskedForEveryDevice) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(desk_.Submit(Facts("dev-" + std::to_string(i), 1)));
  Set(false, Error{Reason::kTimeout, "HSM"});
  desk_.Start();
  ASSERT_TRUE(WaitAnswers("dev-99", 1));
  EXPECT_LT(calls_, 100) << "turned down without a call";
  EXPECT_EQ(answers_["dev-50"][0].error().reason, Reason::kTimeout);
}

TEST_F(PermitDeskTest, ARefusalIsThatDevicesAlone) {
  Set(false, Error{Reason::kInvalidArgument, "no"});
  desk_.Start();
  ASSERT_TRUE(desk_.Submit(Facts("dev-1", 1)));
  ASSERT_TRUE(WaitAnswers("dev-1", 1));
  Set(false, std::nullopt);
  ASSERT_TRUE(desk_.Submit(Facts("dev-2", 1)));
  ASSERT_TRUE(WaitAnswers("dev-2", 1));
  EXPECT_TRUE(answers_["dev-2"][0]);
}

}  // namespace
}  // namespace pawl
