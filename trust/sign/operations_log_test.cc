#include "trust/sign/operations_log.h"

#include <gtest/gtest.h>

#include "trust/sign/temporary_folder.h"

namespace pawl::sign {
namespace {

constexpr auto kDurable = OperationsLog::Durability::kPowerLoss;

TEST(OperationsLog, GoesOnCountingAfterARestart) {
  const TemporaryFolder folder;
  ASSERT_TRUE((*OperationsLog::Open(folder.file("log")))->Append("one", "a=1", kDurable));
  auto log = *OperationsLog::Open(folder.file("log"));
  EXPECT_EQ(log->count(), 1U);
  ASSERT_TRUE(log->Append("two", "b=2", kDurable));
  const std::string content = *ReadFile(folder.file("log"));
  EXPECT_TRUE(content.starts_with("n=1 at="));
  EXPECT_NE(content.find(" op=one a=1\nn=2 at="), std::string::npos) << content;
  EXPECT_TRUE(content.ends_with(" op=two b=2\n"));
}

TEST(OperationsLog, ATornLineIsClosedAndItsNumberGivenAgain) {
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder.file("log"), "n=1 at=x op=one\nn=2 at", 0600));
  auto log = *OperationsLog::Open(folder.file("log"));
  ASSERT_TRUE(log->Append("two", "", kDurable));
  const std::string content = *ReadFile(folder.file("log"));
  EXPECT_TRUE(content.starts_with("n=1 at=x op=one\nn=2 at torn\nn=")) << content;
}

TEST(OperationsLog, AStrangeFileIsRefusedByName) {
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder.file("log"), "hello\n", 0600));
  const auto log = OperationsLog::Open(folder.file("log"));
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().reason, Reason::kCorrupt);
  EXPECT_NE(log.error().detail.view().find(folder.file("log")), std::string_view::npos);
}

TEST(OperationsLog, AFullDiskFailsTheOperation) {
  auto log = OperationsLog::Open("/dev/full");
  ASSERT_TRUE(log) << log.error().detail.view();
  const Status appended = (*log)->Append("one", "", kDurable);
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().reason, Reason::kNoSpace);
}

}  // namespace
}  // namespace pawl::sign
