#include "agent/io/boot_control.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "agent/io/cell_file.h"
#include "agent/io/self_tests.h"
#include "agent/io/status.h"
#include "agent/io/test_tls.h"
#include "base/hosted/files.h"
#include "slots/file/machine_line.h"
#include "slots/slot.h"
#include "trust/verify/golden.h"

namespace pawl::agent {
namespace {

constexpr std::uint64_t kSlotBytes = 256 * 1024;

// A device as the factory left it: the golden image in slot A, an empty slot B.
class BootControlTest : public testing::Test {
 protected:
  BootControlTest() : config_(DefaultConfig(folder_.path())) {
    for (const char* name : {"rom", "flash", "data"}) std::filesystem::create_directory(folder_ / name);
    Make(config_.record, 2 * kRecordSectorBytes, true);
    Make(config_.slot_a, kSlotBytes, false);
    Make(config_.slot_b, kSlotBytes, false);
    const auto slot = FileFlash::Open(config_.slot_a, kSlotFileOptions).value();
    EXPECT_TRUE(slot->Program(0, golden::Image()));
    EXPECT_TRUE(WriteEnvelope(*slot, golden::Hex(golden::kEnvelope)));
    BootRecord record;
    record.proven = true;
    Store(record);
    hand_off_.mode = BootMode::kNormal;
    hand_off_.security_version = 3;
  }
  static void Make(const std::string& path, std::uint64_t bytes, bool blank) {
    const std::vector<std::uint8_t> content(bytes, blank ? 0xFF : 0x00);
    EXPECT_TRUE(WriteFileDurably(path, content, 0644));
  }
  void Store(const BootRecord& record) {
    const auto flash = FileFlash::Open(config_.record, kRecordFileOptions).value();
    RecordStore store(*flash);
    store.Load();
    EXPECT_TRUE(store.Commit(record));
  }
  std::unique_ptr<RecordBootControl> Open() {
    return RecordBootControl::Open(config_, hand_off_, golden::TheKeys()).value();
  }

  TestFolder folder_;
  Config config_;
  HandOff hand_off_;
};

TEST_F(BootControlTest, TellsWhatRunsByItsManifest) {
  const auto control = Open();
  EXPECT_EQ(control->facts().running.image_digest, golden::HexTo<Digest>(golden::kImageDigest));
  EXPECT_EQ(control->facts().running.manifest_digest, golden::HexTo<Digest>(golden::kManifestDigest));
  EXPECT_EQ(control->facts().running.trial_budget_s, 120U);
  EXPECT_EQ(control->facts().running_security_version, 3U);
}

TEST_F(BootControlTest, ChangesAreDurableAndShown) {
  Digest digest;
  digest.fill(9);
  {
    const auto control = Open();
    ASSERT_TRUE(control->SetPending(17, digest));
    EXPECT_EQ(control->facts().record.pending, Slot::kB);
    EXPECT_FALSE(control->StagingSlot());  // never while one is pending
  }
  const auto control = Open();
  EXPECT_EQ(control->facts().record.pending, Slot::kB);
  EXPECT_EQ(control->facts().record.job, 17U);
  EXPECT_EQ(control->SetPending(18, digest).error().reason, Reason::kNotAllowed);
}

TEST_F(BootControlTest, TheStagingSlotIsTheOneThatNeitherRunsNorIsConfirmed) {
  const auto control = Open();
  const auto slot = control->StagingSlot();
  ASSERT_TRUE(slot);
  ASSERT_TRUE((*slot)->Program(0, AsBytes("new")));
  EXPECT_EQ(ReadFile(config_.slot_b, kSlotBytes).value().substr(0, 3), "new");
  EXPECT_EQ(AsBytes(ReadFile(config_.slot_a, kSlotBytes).value())[0], golden::Image()[0]);
}

TEST_F(BootControlTest, ConfirmingATrialMakesItTheModeNormal) {
  BootRecord record;
  record.proven = true;
  record.confirmed = Slot::kB;
  record.pending = Slot::kA;
  record.started = true;
  Store(record);
  hand_off_.mode = BootMode::kTrial;
  const auto control = Open();
  ASSERT_TRUE(control->Confirm());
  EXPECT_EQ(control->facts().mode, BootMode::kNormal);
  EXPECT_EQ(control->facts().record.confirmed, Slot::kA);
  EXPECT_TRUE(control->facts().record.proven);
  EXPECT_EQ(Open()->facts().mode, BootMode::kNormal);  // of an agent that is started again, with the same hand-off
}

TEST_F(BootControlTest, AFailedTrialKeepsItsReasonAndTheTestsName) {
  BootRecord record;
  record.confirmed = Slot::kB;
  record.pending = Slot::kA;
  record.started = true;
  Store(record);
  hand_off_.mode = BootMode::kTrial;
  ASSERT_TRUE(Open()->FailTrial(Reason::kSelfTestFailed, "peripheral:adc: reads 0 mV and more"));
  EXPECT_EQ(Open()->facts().record.reason, Reason::kSelfTestFailed);
  EXPECT_EQ(Open()->facts().record.detail.view(), "peripheral:adc: reads 0 mV a");
}

TEST_F(BootControlTest, ADeviceWithoutARecordIsTheBootloadersMatter) {
  Make(config_.record, 2 * kRecordSectorBytes, true);
  EXPECT_EQ(RecordBootControl::Open(config_, hand_off_, golden::TheKeys()).error().reason, Reason::kCorrupt);
}

TEST_F(BootControlTest, TheBuiltInTestsPassOnAGoodDeviceAndNameWhatIsNot) {
  const auto control = Open();
  const KeyTable keys = golden::TheKeys();
  const auto failing = [&] {
    std::string names;
    for (const SelfTest& test : BuiltInTests(*control, config_, keys)) {
      if (test.run().verdict != Verdict::kPass) names += test.name + " ";
    }
    return names;
  };
  EXPECT_EQ(failing(), "");
  ASSERT_TRUE(control->RunningSlot().Program(70'000, AsBytes("rot")));
  EXPECT_EQ(failing(), "memory:image ");
  config_.data = folder_ / "gone";
  EXPECT_EQ(failing(), "peripheral:data memory:image ");
}

TEST_F(BootControlTest, TheStatusIsReadFromOutsideAndChangesNothing) {
  ASSERT_TRUE(WriteFileDurably(config_.anchors, golden::Hex(golden::kAnchors), 0644));
  Ledger ledger;
  ledger.rev = 12;
  ledger.job = wire::JobState{
      .n = 3, .phase = wire::Phase::kRefused, .reason = Reason::kChunkDigest, .detail = "chunk 3", .steps = {}};
  ASSERT_TRUE(CellFile::Open(config_.InData("ledger.bin"), kLedgerKind).value()->Store(EncodeLedger(ledger)));
  const auto before = ReadFile(config_.record, 1 << 20).value();
  const auto status = ReadStatus(config_);
  ASSERT_TRUE(status) << status.error().detail.view();
  EXPECT_EQ(ReadFile(config_.record, 1 << 20).value(), before);
  const boost::json::value json = boost::json::parse(StatusJson(*status));
  EXPECT_EQ(json.at("slots").at("A").at("version").as_string(), "2.1.0");
  EXPECT_TRUE(json.at("slots").at("B").is_null());
  EXPECT_EQ(json.at("record").at("confirmed").as_string(), "A");
  EXPECT_EQ(json.at("job").at("reason").as_string(), "chunk digest");
  EXPECT_TRUE(json.at("device").is_null());
  EXPECT_NE(StatusText(*status).find("slot A        2.1.0, sequence 7"), std::string::npos);
  EXPECT_NE(StatusText(*status).find("pawl-agent enrol"), std::string::npos);
}

}  // namespace
}  // namespace pawl::agent
