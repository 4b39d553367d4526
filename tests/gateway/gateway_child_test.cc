// The gateway's hardware over the real firmware logic and the real bootloader core, on a host machine with flash in
// memory. The platform is an HTTPS server that gives nonces back. The whole flow with a platform: tests/e2e.
#define OPENSSL_SUPPRESS_DEPRECATED  // trust/verify/test_signer.h wants it before any header of OpenSSL
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "agent/io/serial/child_hardware.h"
#include "agent/io/system.h"
#include "agent/io/test_tls.h"
#include "base/hosted/files.h"
#include "firmware/bare/host/host_child.h"
#include "firmware/bare/test_device.h"

namespace pawl {
namespace {

using agent::BootControl;
using agent::ChildHardware;
using agent::ChildLink;
using agent::Hardware;
using firmware::Behaviour;
using firmware::test::MakeRelease;
using firmware::test::Release;

constexpr std::size_t kImageBytes = 100'000;

// Counts what is programmed. Threads: the count may be read from another one.
class CountingFlash final : public Flash {
 public:
  explicit CountingFlash(Flash& flash) : flash_(flash) {}
  std::uint64_t bytes() const override { return flash_.bytes(); }
  std::uint32_t sector_bytes() const override { return flash_.sector_bytes(); }
  Status Read(std::uint64_t offset, MutableBytes to) override { return flash_.Read(offset, to); }
  Status Program(std::uint64_t offset, ByteView from) override {
    programmed += from.size();
    return flash_.Program(offset, from);
  }
  Status Erase(std::uint64_t sector) override { return flash_.Erase(sector); }
  Status Flush() override { return flash_.Flush(); }

  std::atomic<std::uint64_t> programmed = 0;

 private:
  Flash& flash_;
};

class GatewayChildTest : public testing::Test {
 protected:
  GatewayChildTest() {
    for (const char* folder : {"rom", "data"}) std::filesystem::create_directory(folder_ / folder);
    EXPECT_TRUE(WriteFileDurably(config_.anchors, "anchors", 0644));
    EXPECT_TRUE(WriteFileDurably(config_.identity, "identity", 0644));
    anchors_ = device_.setup().rom.anchors;
    config_.https_urls = {server_.Url("")};
    http_.UseTls(platform_.ClientTls());
    device_.Install(Slot::kA, MakeRelease(1));
    PowerOn();
  }
  ~GatewayChildTest() override { PowerOff(); }

  void PowerOn() {
    int ends[2];
    PAWL_ASSERT(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    line_ = OwnedFd(ends[0]);
    child_end_ = OwnedFd(ends[1]);
    firmware::HostMachine::Setup setup = device_.setup();
    setup.rom_digest = crypto::Hash(AsBytes("anchorsidentity"));
    setup.slots[static_cast<std::size_t>(Slot::kB)] = &slot_b_;
    child_ = std::make_unique<firmware::HostChild>(setup, child_end_.get());
    off_ = false;
    power_ = std::thread([this] { child_->Run(off_); });
  }
  void PowerOff() {
    hardware_.reset();
    off_ = true;
    power_.join();
  }
  // A gateway's process for one boot of the child.
  void Open() {
    happened_.clear();
    hardware_.reset();
    const int line = ::fcntl(line_.get(), F_DUPFD_CLOEXEC, 0);
    auto link = std::make_unique<ChildLink>(std::make_unique<agent::SerialLine>(OwnedFd(line)), ChildLink::Options{});
    const auto facts = agent::As<serial::Facts>(link->Call(serial::AskFacts{}));
    ASSERT_TRUE(facts) << facts.error().detail.view();
    auto opened = ChildHardware::Open(std::move(link), *facts, config_, anchors_, http_);
    ASSERT_TRUE(opened) << opened.error().detail.view();
    hardware_ = std::move(*opened);
    if (boot().facts().mode != BootMode::kNormal) hardware_->StartTests();
  }
  BootControl& boot() { return hardware_->boot(); }

  // The loop, until this holds, at most 30 s.
  void Until(const std::function<bool()>& done) {
    const std::uint64_t end_ms = agent::MonotonicMs() + 30'000;
    while (!done() && agent::MonotonicMs() < end_ms) {
      for (agent::Happening& what : hardware_->Work(agent::MonotonicMs())) happened_.push_back(std::move(what));
      std::vector<pollfd> fds;
      hardware_->AddTo(fds);
      http_.Poll(fds, hardware_->NextMs() <= agent::MonotonicMs() ? 0 : 10);
    }
    ASSERT_TRUE(done());
  }
  template <class T>
  bool Happened() const {
    return std::ranges::any_of(happened_, [](const auto& what) { return std::holds_alternative<T>(what); });
  }
  void UntilConfirmed() {
    Open();
    Until([this] { return Happened<agent::event::TestsPassed>() || hardware_->gone(); });
    ASSERT_TRUE(Happened<agent::event::TestsPassed>());
    ASSERT_TRUE(boot().Confirm());
  }
  void BeginSealing(const Release& release) {
    FileFlash* spool = boot().StagingSlot().value();
    ASSERT_TRUE(spool->Program(0, release.image));
    happened_.clear();
    ASSERT_TRUE(hardware_->StartSealing({release.envelope, crypto::Hash(release.image), release.image.size()}));
  }
  void Seal(const Release& release) {
    BeginSealing(release);
    Until([this] { return !happened_.empty(); });
    ASSERT_TRUE(Happened<agent::event::Sealed>());
  }
  // From the seal to the child's next boot.
  void Install(const Release& release) {
    Seal(release);
    ASSERT_TRUE(boot().SetPending(7, release.digest));
    ASSERT_TRUE(hardware_->Reset());
    Until([this] { return hardware_->gone().has_value(); });
  }
  // A push that has come so far.
  void PushPart(const Release& release) {
    BeginSealing(release);
    Until([this] { return slot_b_.programmed >= kImageBytes / 2; });
    ASSERT_TRUE(happened_.empty());
  }

  firmware::test::Device device_;  // its flash and ROM
  CountingFlash slot_b_{device_.slot_b};
  agent::TestFolder folder_;
  agent::Config config_ = agent::DefaultConfig(folder_.path());
  KeyTable anchors_;
  agent::TestPlatform platform_;
  agent::TestServer server_{platform_.server, platform_.device_ca.pem,
                            [](const agent::TestRequest& request, agent::TestServer::Reply& reply) {
                              reply.Answer(200, "",
                                           "{\"nonce\":\"" + request.path.substr(request.path.find('=') + 1) + "\"}");
                            }};
  agent::HttpClient http_;
  OwnedFd line_;
  OwnedFd child_end_;
  std::unique_ptr<firmware::HostChild> child_;
  std::atomic<bool> off_ = false;
  std::thread power_;
  std::unique_ptr<Hardware> hardware_;
  std::vector<agent::Happening> happened_;
};

TEST_F(GatewayChildTest, AnUpdateRunsFromTheSpoolToTheConfirmedSlot) {
  UntilConfirmed();  // the first firmware proves itself
  EXPECT_EQ(boot().facts().slot, Slot::kA);
  const Release release = MakeRelease(2, Behaviour::kGood, kImageBytes);
  Install(release);
  UntilConfirmed();
  const agent::BootFacts& facts = boot().facts();
  EXPECT_EQ(facts.slot, Slot::kB);
  EXPECT_EQ(facts.record.confirmed, Slot::kB);
  EXPECT_EQ(facts.record.job, 7U);
  EXPECT_FALSE(facts.record.owed);
  EXPECT_EQ(facts.running.manifest_digest, release.digest);
}

TEST_F(GatewayChildTest, ASelfTestThatFailsIsARollbackWithItsReasonAndTheTestsName) {
  UntilConfirmed();
  Install(MakeRelease(2, Behaviour::kSelfTestFails));
  do {  // the trial, and the boot after it
    Open();
    Until([this] { return boot().facts().record.owed || hardware_->gone(); });
  } while (!boot().facts().record.owed);
  const BootRecord& record = boot().facts().record;
  EXPECT_EQ(boot().facts().slot, Slot::kA);
  EXPECT_EQ(record.reason, Reason::kSelfTestFailed);
  EXPECT_NE(record.detail.view().find("peripheral:adc"), std::string_view::npos);
  ASSERT_TRUE(boot().SettleRollback(record.trial, record.job));
  EXPECT_FALSE(boot().facts().record.owed);
}

TEST_F(GatewayChildTest, AnImageThatTheChildsOwnKeysRefuseIsNotSealed) {
  UntilConfirmed();
  const pawl::test::TestKey stranger("somebody else's key");
  anchors_.keys.push_back(stranger.Entry(Role::kImage));  // the gateway would believe it
  const Release genuine = MakeRelease(2, Behaviour::kGood, kImageBytes);
  const Release release = firmware::test::Sign(genuine.image, firmware::test::ManifestOf(genuine.image, 2), stranger);
  BeginSealing(release);
  Until([this] { return !happened_.empty(); });
  EXPECT_TRUE(Happened<agent::event::SealFailed>());
  EXPECT_FALSE(boot().SetPending(7, release.digest));
}

TEST_F(GatewayChildTest, AKillOfTheGatewayInMidPushCostsNoByte) {
  UntilConfirmed();
  const Release release = MakeRelease(2, Behaviour::kGood, kImageBytes);
  PushPart(release);
  Open();  // another process, the same boot of the child
  Seal(release);
  EXPECT_LE(slot_b_.programmed, kImageBytes + kSlotTrailerBytes);
  ASSERT_TRUE(boot().SetPending(7, release.digest));
}

TEST_F(GatewayChildTest, APowerCutOfTheChildInMidPushCostsAtMostASector) {
  UntilConfirmed();
  const Release release = MakeRelease(2, Behaviour::kGood, kImageBytes);
  PushPart(release);
  PowerOff();
  PowerOn();
  Open();
  Seal(release);
  EXPECT_LE(slot_b_.programmed, kImageBytes + firmware::test::kSectorBytes + kSlotTrailerBytes);
  ASSERT_TRUE(boot().SetPending(7, release.digest));
}

}  // namespace
}  // namespace pawl
