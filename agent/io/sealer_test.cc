#include "agent/io/sealer.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "agent/io/boot_control.h"
#include "agent/io/test_tls.h"
#include "slots/file/machine_line.h"
#include "slots/slot.h"
#include "trust/verify/golden.h"

namespace pawl::agent {
namespace {

constexpr std::uint64_t kSlotBytes = 256 * 1024;

class SealerTest : public testing::Test {
 protected:
  SealerTest() {
    OwnedFd(::open((folder_ / "slot").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
    std::filesystem::resize_file(folder_ / "slot", kSlotBytes);
    slot_ = FileFlash::Open(folder_ / "slot", kSlotFileOptions).value();
    EXPECT_TRUE(slot_->Program(0, golden::Image()));
  }
  Status Seal() {
    const Manifest manifest = golden::TheManifest();
    PAWL_TRY(sealer_.Start(*slot_, keys_, envelope_, manifest.image_digest, manifest.image_bytes));
    if (before_read_) before_read_();
    for (int i = 0; i < 1000; ++i) {
      if (const auto done = sealer_.Work()) return *done;
    }
    return Fail(Reason::kTimeout, "it does not end");
  }

  TestFolder folder_;
  std::unique_ptr<FileFlash> slot_;
  KeyTable keys_ = golden::TheKeys();
  std::vector<std::uint8_t> envelope_ = golden::Hex(golden::kEnvelope);
  Sealer sealer_;
  std::function<void()> before_read_;
};

TEST_F(SealerTest, SealsTheGenuineImageSoThatItCanBeReadAsSuch) {
  const Status sealed = Seal();
  EXPECT_TRUE(sealed) << sealed.error().detail.view();
  EXPECT_FALSE(sealer_.running());
  EXPECT_EQ(ReadManifest(*slot_, keys_).value().get().version, golden::TheManifest().version);
}

TEST_F(SealerTest, RefusesAnImageThatDoesNotReadBackAsItWasSigned) {
  for (const std::uint64_t at : {0U, 65536U, 149'999U}) {
    ASSERT_TRUE(slot_->Program(0, golden::Image()));
    before_read_ = [this, at] {
      std::array<std::uint8_t, 1> byte{};
      ASSERT_TRUE(slot_->Read(at, byte));
      byte[0] ^= 0x10;
      ASSERT_TRUE(slot_->Program(at, byte));
    };
    const Status sealed = Seal();
    ASSERT_FALSE(sealed) << at;
    EXPECT_EQ(sealed.error().reason, Reason::kImageDigest);
  }
}

TEST_F(SealerTest, VerifiesTheEnvelopeThatIsInTheSlotNow) {
  before_read_ = [this] {
    std::vector<std::uint8_t> bad = envelope_;
    bad[60] ^= 1;
    ASSERT_TRUE(WriteEnvelope(*slot_, bad));
  };
  EXPECT_FALSE(Seal());
  before_read_ = [this] { ASSERT_TRUE(EraseEnvelope(*slot_)); };
  EXPECT_FALSE(Seal());
}

TEST_F(SealerTest, ASlotThatCannotBeWrittenIsASlotWriteError) {
  FileFlash::Options options = kSlotFileOptions;
  options.read_only = true;
  slot_ = FileFlash::Open(folder_ / "slot", options).value();
  EXPECT_EQ(Seal().error().reason, Reason::kSlotWrite);
}

}  // namespace
}  // namespace pawl::agent
