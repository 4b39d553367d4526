// The channel as pawld runs it: real broker and plugin, real database, and a scripted device over mTLS.
#include "platform/io/channel/channel.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <future>

#include "broker/link.h"
#include "platform/io/channel/mqtt.h"
#include "platform/io/channel/test_broker.h"
#include "platform/io/data/artifacts.h"
#include "platform/io/data/campaigns.h"
#include "platform/io/data/classes.h"
#include "platform/io/data/releases.h"
#include "wire/json/json.h"

namespace pawl {
namespace {

using namespace std::chrono_literals;
using test::Client;

const data::Actor kOperator{"operator"};
const std::vector<std::uint8_t> kEnvelope = {1, 2, 3, 4};

Digest Filled(std::uint8_t value) {
  Digest digest;
  digest.fill(value);
  return digest;
}
const Digest kImage = Filled(0x11);
const Digest kManifest = Filled(0x22);
const Digest kOldImage = Filled(0x33);

// A device that does what the test says.
class Toy {
 public:
  Toy(const test::ClientOptions& options, const data::Class& cls) : options_(options), class_(cls) {
    state_.journal.fill(0xAB);
    state_.rev = 1;
    state_.running.push_back({.slot = "A",
                              .image_digest = kOldImage,
                              .manifest_digest = Filled(0x44),
                              .version = "1.0.0",
                              .sequence = 0,
                              .mode = wire::Mode::kNormal});
  }

  bool Connect() {
    client_.reset();
    client_ = std::make_unique<Client>(options_);
    return client_->Admitted() && client_->Subscribe(Topic("down")) < 128;
  }
  void Disconnect() { client_.reset(); }

  // Says hello and takes the session of its welcome.
  std::optional<wire::Welcome> Hello() {
    wire::Hello hello{.state = state_,
                      .vendor = class_.vendor_id,
                      .cls = class_.class_id,
                      .agent = "toy",
                      .keys = {},
                      .slot_bytes = class_.slot_bytes,
                      .watchdog_s = class_.watchdog_s,
                      .encodings = {"raw"},
                      .attributes = {},
                      .via = {}};
    hello.boot.fill(0x01);
    hello.nonce = NextNonce();
    Send(hello);
    auto welcome = Await<wire::Welcome>([&](const wire::Welcome& each) { return each.nonce == hello.nonce; });
    if (welcome) session_ = welcome->session;
    return welcome;
  }
  // Tells a new phase of the job.
  void Tell(std::uint64_t job, wire::Phase phase) {
    ++state_.rev;
    state_.job = wire::JobState{.n = job, .digest = kManifest, .phase = phase, .detail = {}, .steps = {{phase, 1000}}};
    Send(wire::StateReport{session_, state_});
  }
  std::optional<wire::Ack> Acked(std::uint64_t rev) {
    return Await<wire::Ack>([&](const wire::Ack& ack) { return ack.rev == rev && ack.session == session_; });
  }
  Nonce Ready(std::uint64_t job) {
    const Nonce nonce = NextNonce();
    Send(wire::Ready{session_, job, kManifest, nonce});
    return nonce;
  }
  // The next message of this kind for which `wanted` holds; others are dropped.
  template <class Message>
  std::optional<Message> Await(const std::function<bool(const Message&)>& wanted,
                               std::chrono::milliseconds within = Client::kDeadline) {
    std::optional<Message> found;
    client_->WaitMessage(
        [&](const test::Received& received) {
          const auto down = wire::DecodeDown(received.payload);
          const auto* message = down ? std::get_if<Message>(&*down) : nullptr;
          if (message != nullptr && wanted(*message)) found = *message;
          return found.has_value();
        },
        within);
    return found;
  }
  template <class Message>
  std::optional<Message> Await(std::chrono::milliseconds within = Client::kDeadline) {
    return Await<Message>([](const Message&) { return true; }, within);
  }
  void Send(const wire::Up& message) { client_->Send(Topic("up"), wire::Encode(message)); }
  std::string Topic(const std::string& end) const { return "pawl/1/default/" + options_.client_id + "/" + end; }

  Client& client() { return *client_; }
  wire::State& state() { return state_; }
  wire::Session session() const { return session_; }
  void set_session(wire::Session session) { session_ = session; }
  Nonce NextNonce() {
    Nonce nonce{};
    StoreLe<std::uint64_t>(MutableBytes(nonce).first(8), ++nonces_);
    return nonce;
  }

 private:
  test::ClientOptions options_;
  data::Class class_;
  wire::State state_;
  wire::Session session_ = 0;
  std::uint64_t nonces_ = 0;
  std::unique_ptr<Client> client_;
};

// Not the real signature, but all that goes into it: what the device checks.
Result<std::vector<std::uint8_t>> SignForTest(const Permit& permit) {
  std::vector<std::uint8_t> bytes(256);
  PAWL_ASSIGN(const std::size_t size, EncodePermit(permit, bytes));
  bytes.resize(size);
  return bytes;
}

class ChannelTest : public testing::Test {
 protected:
  void SetUp() override {
    OpenDatabase();
    MakeRelease();
  }
  void TearDown() override {
    channel_.reset();
    if (HasFailure()) std::cerr << log_;
  }

  void OpenDatabase() {
    auto opened = data::Database::Open(folder_ / "pawl.db");
    ASSERT_TRUE(opened) << opened.error().detail.view();
    database_ = std::move(*opened);
  }
  template <class Fn>
  auto Write(Fn fn) {
    auto result = database_->Write(fn);
    EXPECT_TRUE(result) << (result ? "" : result.error().detail.view());
    return result;
  }
  // Returns when the database's writer stands still, until `release` is set.
  void BlockWriter(std::promise<void>& release) {
    const auto standing = std::make_shared<std::promise<void>>();
    database_->WriteAsync(
        [standing, blocked = release.get_future().share()](sql::Tx&) -> Status {
          standing->set_value();
          blocked.wait();
          return {};
        },
        [](const Status&) {});
    standing->get_future().wait();
  }
  template <class Fn>
  void Do(Fn fn) {
    (void)Write(fn);
  }
  template <class Fn>
  auto Read(Fn fn) {
    auto result = database_->Read(fn);
    EXPECT_TRUE(result) << (result ? "" : result.error().detail.view());
    return result;
  }

  void MakeRelease() {
    const data::ClassSpec spec{
        .name = "toy", .vendor = "example.com", .slot_bytes = 1U << 20U, .watchdog_s = 10, .max_trial_budget_s = 60};
    const std::vector<std::uint8_t> anchors = {0xA0};
    class_ = *Write([&](sql::Tx& tx) { return data::CreateClass(tx, kOperator, spec, anchors, {}); });
    Do([&](sql::Tx& tx) { return data::AddArtifact(tx, kOperator, kImage, 1000, "fw.bin"); });
    release_ =
        Write([&](sql::Tx& tx) {
          return data::CreateRelease(
              tx, kOperator,
              {.class_name = "toy", .artifact = kImage, .version = "2.1.0", .trial_budget_s = {}, .use_before_s = {}});
        })->id;
    Do([&](sql::Tx& tx) {
      return data::PublishRelease(tx, release_, {.manifest_digest = kManifest, .envelope = kEnvelope, .keys = {}});
    });
  }
  // A device of the registry with the test's key pinned; claimed until its first contact.
  void Enrol(const std::string& id) {
    const auto made = Write([&](sql::Tx& tx) {
      return data::CreateDevice(tx, kOperator, {.id = id, .class_name = "toy", .attributes = {}});
    });
    Do([&](sql::Tx& tx) { return data::BeginEnrolment(tx, id, made->claim.token, key_.Pin()); });
    Do([&](sql::Tx& tx) { return data::FinishEnrolment(tx, id, key_.Pin(), "PEM", 4'000'000'000'000); });
  }
  std::string Campaign(const std::vector<std::string>& devices) {
    return Write([&](sql::Tx& tx) {
             return data::CreateCampaign(tx, kOperator, {.name = "c", .release = release_, .targets = devices});
           })
        ->id;
  }

  ChannelConfig Config() {
    ChannelConfig config;
    config.embedded = pki_.Broker(port_);
    config.options.source_bases = {"https://127.0.0.1:8444/artifacts/v1"};
    return config;
  }
  void StartChannel() { StartChannel(Config()); }
  void StartChannel(ChannelConfig config) {
    channel_ = std::make_unique<Channel>(
        std::move(config), *database_,
        [this](const Permit& permit) -> Result<std::vector<std::uint8_t>> {
          if (hsm_down_) return Fail(Reason::kUnavailable, "HSM does not answer");
          return SignForTest(permit);
        },
        [this](LogLevel, std::string_view line) {
          const std::scoped_lock lock(log_mutex_);
          log_.append(line).append("\n");
        });
    const Status started = channel_->Start();
    ASSERT_TRUE(started) << started.error().detail.view();
    ASSERT_TRUE(WaitUntil([&] { return channel_->health().ok; })) << channel_->health().problem;
  }

  // Polls: what it waits for happens in other threads and processes.
  template <class Done>
  static bool WaitUntil(const Done& done, std::chrono::milliseconds within = 20s) {
    const auto deadline = std::chrono::steady_clock::now() + within;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(5ms);
    }
    return true;
  }
  data::Device DeviceRow(const std::string& id) {
    return *Read([&](sql::Tx& tx) { return data::GetDevice(tx, id); });
  }
  std::optional<data::Job> JobOf(const std::string& id) {
    return *Read([&](sql::Tx& tx) { return data::CurrentJob(tx, id); });
  }
  std::vector<data::Event> Events(data::EventKind kind) {
    return *Read([&](sql::Tx& tx) { return data::ListEvents(tx, {.device = {}, .campaign = {}, .kind = kind}); });
  }
  Toy MakeToy(const std::string& id) { return Toy(pki_.Device(port_, id, key_), class_); }

  test::Folder folder_;
  test::Pki pki_{folder_};
  test::Key key_;
  std::uint16_t port_ = test::FreePort();
  std::unique_ptr<data::Database> database_;
  data::Class class_;
  std::string release_;
  std::atomic<bool> hsm_down_ = false;
  std::mutex log_mutex_;
  std::string log_;
  std::unique_ptr<Channel> channel_;
};

TEST_F(ChannelTest, HelloIsAnsweredByAWelcomeWithTheJobThatWaited) {
  Enrol("dev-1");
  Campaign({"dev-1"});
  StartChannel();
  Toy toy = MakeToy("dev-1");
  ASSERT_TRUE(toy.Connect());
  const auto welcome = toy.Hello();
  ASSERT_TRUE(welcome);
  EXPECT_NE(welcome->session, 0U);
  EXPECT_EQ(welcome->ack.rev, toy.state().rev);
  EXPECT_GT(welcome->time, 1'600'000'000U);
  ASSERT_TRUE(welcome->job);
  EXPECT_EQ(welcome->job->n, 1U);
  EXPECT_EQ(welcome->job->manifest, kEnvelope);
  ASSERT_EQ(welcome->job->sources.size(), 1U);
  EXPECT_TRUE(welcome->job->sources[0].url.starts_with("https://127.0.0.1:8444/artifacts/v1/1111"));
  EXPECT_TRUE(DeviceRow("dev-1").connected);
  EXPECT_EQ(DeviceRow("dev-1").state, data::DeviceState::kActive) << "the first contact made it active";
}

TEST_F(ChannelTest, AJobForAConnectedDeviceIsSentAtOnce) {
  Enrol("dev-1");
  StartChannel();
  Toy toy = MakeToy("dev-1");
  ASSERT_TRUE(toy.Connect());
  const auto welcome = toy.Hello();
  ASSERT_TRUE(welcome);
  EXPECT_FALSE(welcome->job);
  Campaign({"dev-1"});
  const auto offer = toy.Await<wire::JobOffer>();
  ASSERT_TRUE(offer);
  EXPECT_EQ(offer->session, toy.session());
  EXPECT_EQ(offer->job.n, 1U);
  EXPECT_EQ(offer->job.manifest, kEnvelope);
}

TEST_F(ChannelTest, AStateIsStoredBeforeItIsAcknowledged) {
  Enrol("dev-1");
  Campaign({"dev-1"});
  StartChannel();
  Toy toy = MakeToy("dev-1");
  ASSERT_TRUE(toy.Connect());
  ASSERT_TRUE(toy.Hello());
  toy.Tell(1, wire::Phase::kAccepted);
  ASSERT_TRUE(toy.Acked(2));
  EXPECT_EQ(DeviceRow("dev-1").told->rev, 2U);
  EXPECT_EQ(JobOf("dev-1")->status, data::JobStatus::kAccepted);
}

TEST_F(ChannelTest, WhatCannotBeStoredIsNotAcknowledged) {
  Enrol("dev-1");
  Campaign({"dev-1"});
  StartChannel();
  Toy toy = MakeToy("dev-1");
  ASSERT_TRUE(toy.Connect());
  ASSERT_TRUE(toy.Hello());
  std::promise<void> release;
  BlockWriter(release);
  toy.Tell(1, wire::Phase::kAccepted);
  ASSERT_TRUE(WaitUntil([&] { return channel_->metrics().pending == 1; }));
  // In the same group, after the report: it spoils the commit.
  database_->WriteAsync(
      [](sql::Tx& tx) -> Status {
        PAWL_TRY(tx.Execute("ROLLBACK"));
        return {};
      },
      [](const Status&) {});
  release.set_value();
  ASSERT_TRUE(WaitUntil([&] { return channel_->metrics().not_stored > 0; }));
  EXPECT_EQ(DeviceRow("dev-1").told->rev, 1U);
  const auto any = [](const test::Received&) { return true; };
  EXPECT_EQ(toy.client().WaitMessage(any, 200ms), std::nullopt) << "nothing is acknowledged";

  toy.Send(wire::StateReport{toy.session(), toy.state()});
  EXPECT_TRUE(toy.Acked(2)) << "told again, and stored";
  EXPECT_EQ(DeviceRow("dev-1").told->rev, 2U);
}

TEST_F(ChannelTest, ReadyBringsAPermitForItsNonce) {
  Enrol("dev-1");
  Campaign({"dev-1"});
  StartChannel();
  Toy toy = MakeToy("dev-1");
  ASSERT_TRUE(toy.Connect());
  ASSERT_TRUE(toy.Hello());
  toy.Tell(1, wire::Phase::kAccepted);
  toy.Tell(1, wire::Phase::kVerified);
  ASSERT_TRUE(toy.Acked(3));
  for (int i = 0; i < 2; ++i) {  // asked again: the same credit, a new signature
    const Nonce nonce = toy.Ready(1);
    const auto answer = toy.Await<wire::PermitAnswer>();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->session, toy.session());
    EXPECT_EQ(answer->job, 1U);
    const auto permit = DecodePermit(answer->permit);
    ASSERT_TRUE(permit);
    EXPECT_EQ(permit->device.view(), "dev-1");
    EXPECT_EQ(permit->job, 1U);
    EXPECT_EQ(permit->manifest_digest, kManifest);
    EXPECT_EQ(permit->nonce, nonce);
  }
  EXPECT_TRUE(JobOf("dev-1")->permitted);
  EXPECT_EQ(Events(data::EventKind::kJobPermitted).size(), 1U);
}

TEST_F(ChannelTest, WithoutTheHsmThePermitWaitsAndSaysSo) {
  Enrol("dev-1");
  Campaign({"dev-1"});
  StartChannel();
  hsm_down_ = true;
  Toy toy = MakeToy("dev-1");
  ASSERT_TRUE(toy.Connect());
  ASSERT_TRUE(toy.Hello());
  toy.Tell(1, wire::Phase::kVerified);
  toy.Ready(1);
  const auto wait = toy.Await<wire::PermitAnswer>();
  ASSERT_TRUE(wait);
  EXPECT_TRUE(wait->permit.empty());
  EXPECT_EQ(wait->wait_s, 30U);
  EXPECT_TRUE(wait->reason.contains("HSM does not answer")) << wait->reason;
  EXPECT_TRUE(JobOf("dev-1")->waiting.contains("HSM does not answer")) << JobOf("dev-1")->waiting;
  EXPECT_EQ(Events(data::EventKind::kPermitWaiting).size(), 1U);

  hsm_down_ = false;
  std::optional<wire::PermitAnswer> answer;
  int asked = 0;
  ASSERT_TRUE(WaitUntil([&] {             // for a moment the desk still spares the signer
    if (++asked % 20 == 1) toy.Ready(1);  // and the broker allows 20 messages a second
    answer = toy.Await<wire::PermitAnswer>(20ms);
    return answer && !answer->permit.empty();
  }));
  EXPECT_TRUE(WaitUntil([&] { return JobOf("dev-1")->waiting.empty(); }));
}

TEST_F(ChannelTest, RepeatedAndOvertakenSnapshotsChangeNothing) {
  Enrol("dev-1");
  Campaign({"dev-1"});
  StartChannel();
  Toy toy = MakeToy("dev-1");
  ASSERT_TRUE(toy.Connect());
  ASSERT_TRUE(toy.Hello());
  toy.Tell(1, wire::Phase::kAccepted);
  const wire::StateReport accepted{toy.session(), toy.state()};
  toy.Tell(1, wire::Phase::kDownloading);
  const wire::StateReport downloading{toy.session(), toy.state()};
  ASSERT_TRUE(toy.Acked(3));
  toy.Send(accepted);     // late
  toy.Send(downloading);  // again
  ASSERT_TRUE(toy.Acked(3));
  EXPECT_EQ(DeviceRow("dev-1").told->rev, 3U);
  EXPECT_EQ(JobOf("dev-1")->status, data::JobStatus::kDownloading);
  EXPECT_EQ(DeviceRow("dev-1").state, data::DeviceState::kActive);
}

TEST_F(ChannelTest, MessagesOfAnotherSessionAreDropped) {
  Enrol("dev-1");
  Campaign({"dev-1"});
  StartChannel();
  Toy toy = MakeToy("dev-1");
  ASSERT_TRUE(toy.Connect());
  ASSERT_TRUE(toy.Hello());
  const wire::Session first = toy.session();
  ASSERT_TRUE(toy.Hello());
  const wire::Session second = toy.session();
  ASSERT_NE(first, second);
  toy.set_session(first);
  toy.Tell(1, wire::Phase::kRefused);  // from the past
  toy.set_session(second);
  --toy.state().rev;
  toy.Tell(1, wire::Phase::kAccepted);
  ASSERT_TRUE(toy.Acked(2));
  EXPECT_EQ(JobOf("dev-1")->status, data::JobStatus::kAccepted);
}

TEST_F(ChannelTest, ASuspendedDeviceIsThrownOffAndItsJobWaits) {
  Enrol("dev-1");
  Campaign({"dev-1"});
  StartChannel();
  Toy toy = MakeToy("dev-1");
  ASSERT_TRUE(toy.Connect());
  ASSERT_TRUE(toy.Hello());
  Do([](sql::Tx& tx) {
    return data::ChangeDeviceState(tx, kOperator, "dev-1", data::DeviceAction::kSuspend, "lost on a train");
  });
  EXPECT_TRUE(toy.client().WaitLost(2s));
  EXPECT_TRUE(WaitUntil([&] { return !DeviceRow("dev-1").connected; }));
  EXPECT_FALSE(toy.Connect());
  EXPECT_TRUE(JobOf("dev-1")) << "the job is still open";

  const std::uint64_t before = channel_->metrics().view_generation;
  Do([](sql::Tx& tx) {
    return data::ChangeDeviceState(tx, kOperator, "dev-1", data::DeviceAction::kActivate, "found");
  });
  ASSERT_TRUE(WaitUntil([&] { return channel_->metrics().view_generation > before; }));
  ASSERT_TRUE(toy.Connect());
  const auto welcome = toy.Hello();
  ASSERT_TRUE(welcome);
  EXPECT_TRUE(welcome->job);
}

TEST_F(ChannelTest, ACancelReachesTheConnectedDevice) {
  Enrol("dev-1");
  const std::string campaign = Campaign({"dev-1"});
  StartChannel();
  Toy toy = MakeToy("dev-1");
  ASSERT_TRUE(toy.Connect());
  ASSERT_TRUE(toy.Hello());
  toy.Tell(1, wire::Phase::kDownloading);
  ASSERT_TRUE(toy.Acked(2));
  Do([&](sql::Tx& tx) { return data::CancelCampaign(tx, kOperator, campaign, "wrong one"); });
  const auto cancel = toy.Await<wire::Cancel>();
  ASSERT_TRUE(cancel);
  EXPECT_EQ(cancel->job, 1U);
  EXPECT_EQ(cancel->session, toy.session());
}

TEST_F(ChannelTest, ProgressIsShownInTheJob) {
  Enrol("dev-1");
  Campaign({"dev-1"});
  StartChannel();
  Toy toy = MakeToy("dev-1");
  ASSERT_TRUE(toy.Connect());
  ASSERT_TRUE(toy.Hello());
  toy.Tell(1, wire::Phase::kDownloading);
  toy.Send(wire::Progress{toy.session(), 1, 400, "download"});
  toy.Send(wire::Progress{toy.session(), 1, 700, "download"});
  EXPECT_TRUE(WaitUntil([&] {
    const auto job = JobOf("dev-1");
    return job && job->progress && job->progress->bytes == 700;
  }));
}

TEST_F(ChannelTest, TheEndOfAConnectionIsKnownAtOnce) {
  Enrol("dev-1");
  StartChannel();
  Toy toy = MakeToy("dev-1");
  ASSERT_TRUE(toy.Connect());
  ASSERT_TRUE(toy.Hello());
  EXPECT_EQ(channel_->metrics().connected_devices, 1U);
  toy.Disconnect();
  EXPECT_TRUE(WaitUntil([&] { return !DeviceRow("dev-1").connected; }));
  EXPECT_EQ(channel_->metrics().connected_devices, 0U);
}

TEST_F(ChannelTest, NonsenseIsCountedAndToldOnceWithItsSender) {
  Enrol("dev-1");
  StartChannel();
  Toy toy = MakeToy("dev-1");
  ASSERT_TRUE(toy.Connect());
  for (const char* nonsense : {"", "{", "[]", "{\"type\":\"order\"}", "\xff\xfe", "{\"type\":\"hello\"}"}) {
    toy.client().Send(toy.Topic("up"), nonsense);
  }
  ASSERT_TRUE(toy.Hello()) << "it is still listened to";
  EXPECT_EQ(channel_->metrics().malformed, 6U);
  ASSERT_TRUE(WaitUntil([&] { return !Events(data::EventKind::kDeviceMessageDropped).empty(); }));
  const auto events = Events(data::EventKind::kDeviceMessageDropped);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].device, "dev-1");
  EXPECT_TRUE(events[0].text.contains("malformed")) << events[0].text;
}

TEST_F(ChannelTest, AKilledBrokerComesBackAndTheJobGoesOn) {
  Enrol("dev-1");
  Campaign({"dev-1"});
  StartChannel();
  Toy toy = MakeToy("dev-1");
  ASSERT_TRUE(toy.Connect());
  ASSERT_TRUE(toy.Hello());
  kill(channel_->health().broker_pid, SIGKILL);
  ASSERT_TRUE(toy.client().WaitLost());
  ASSERT_TRUE(WaitUntil([&] { return Events(data::EventKind::kBrokerDown).size() == 1; }));
  ASSERT_TRUE(WaitUntil([&] { return channel_->health().ok && channel_->metrics().broker_connects == 2; }));
  ASSERT_TRUE(WaitUntil([&] { return Events(data::EventKind::kBrokerUp).size() == 1; }));
  EXPECT_FALSE(DeviceRow("dev-1").connected);
  ASSERT_TRUE(toy.Connect());
  const auto welcome = toy.Hello();
  ASSERT_TRUE(welcome);
  ASSERT_TRUE(welcome->job);
  EXPECT_EQ(welcome->job->n, 1U) << "the same job, not a second one";
}

TEST_F(ChannelTest, AfterItLostItsConnectionTheSessionsGoOn) {
  Enrol("dev-1");
  StartChannel();
  Toy toy = MakeToy("dev-1");
  ASSERT_TRUE(toy.Connect());
  ASSERT_TRUE(toy.Hello());
  {
    // Another client of the platform's name takes its place for a moment; the broker and the device stay.
    MqttClient rival({.host = folder_ / "broker/run/platform.sock",
                      .client_id = std::string(broker::kPlatformClient),
                      .username = std::string(broker::kPlatformClient),
                      .ca = {},
                      .certificate = {},
                      .key = {},
                      .filters = {std::string(broker::kUpFilter)},
                      .on_message = [](std::string_view, std::string_view) {},
                      .on_change = {}});
    rival.Start();
    ASSERT_TRUE(WaitUntil([&] { return channel_->metrics().broker_connects > 1; }));
  }
  ASSERT_TRUE(WaitUntil([&] { return channel_->health().ok && channel_->metrics().connected_devices == 1; }));
  EXPECT_TRUE(DeviceRow("dev-1").connected);
  Campaign({"dev-1"});
  const auto offer = toy.Await<wire::JobOffer>();
  ASSERT_TRUE(offer);
  EXPECT_EQ(offer->session, toy.session());
  EXPECT_FALSE(toy.client().lost());
}

TEST_F(ChannelTest, ADeviceThatFloodsGetsABoundedShareOfTheDatabase) {
  Enrol("dev-1");
  Enrol("dev-2");
  StartChannel();
  Toy noisy = MakeToy("dev-1");
  Toy quiet = MakeToy("dev-2");
  ASSERT_TRUE(noisy.Connect());
  ASSERT_TRUE(quiet.Connect());
  ASSERT_TRUE(noisy.Hello());
  std::promise<void> release;
  BlockWriter(release);
  for (int i = 0; i < 60; ++i) noisy.Send(wire::StateReport{noisy.session(), noisy.state()});
  EXPECT_TRUE(WaitUntil([&] { return channel_->metrics().state == 60; }));
  EXPECT_EQ(channel_->metrics().pending, kMaxPendingPerDevice);
  EXPECT_EQ(channel_->metrics().overload, 60 - kMaxPendingPerDevice);
  release.set_value();
  EXPECT_TRUE(quiet.Hello());
  EXPECT_TRUE(WaitUntil([&] { return channel_->metrics().pending == 0; }));
}

TEST_F(ChannelTest, StartsAgainAfterAStop) {
  Enrol("dev-1");
  Campaign({"dev-1"});
  StartChannel();
  Toy toy = MakeToy("dev-1");
  ASSERT_TRUE(toy.Connect());
  ASSERT_TRUE(toy.Hello());
  channel_->Stop();
  EXPECT_TRUE(toy.client().WaitLost());
  EXPECT_FALSE(DeviceRow("dev-1").connected);
  StartChannel();
  ASSERT_TRUE(toy.Connect());
  ASSERT_TRUE(toy.Hello());
}

TEST_F(ChannelTest, NeitherOrBothBrokersIsAConfigurationError) {
  ChannelConfig config;
  const auto start = [&] {
    return Channel(config, *database_, SignForTest, [](LogLevel, std::string_view) {}).Start();
  };
  EXPECT_EQ(start().error().reason, Reason::kInvalidArgument);
  config = Config();
  config.external.emplace();
  EXPECT_EQ(start().error().reason, Reason::kInvalidArgument);
}

// Another broker, by configuration: here a plain Mosquitto with TLS, which is not ours.
TEST_F(ChannelTest, AnotherBrokerIsUsedOverMutualTls) {
  const test::Key platform;
  const auto platform_files = pki_.Device(port_, "platform", platform);
  std::ofstream(folder_ / "other.conf") << "user root\nallow_anonymous true\nlistener " << port_ << " 127.0.0.1\n"
                                        << "cafile " << folder_ / "device-ca.pem" << "\ncertfile "
                                        << folder_ / "server.pem" << "\nkeyfile " << folder_ / "server.key"
                                        << "\nrequire_certificate true\n";
  Child other({.name = "other broker",
               .command = {"/usr/sbin/mosquitto", "-c", folder_ / "other.conf"},
               .environment = {},
               .directory = {},
               .run_as = {},
               .is_ready = {},
               .on_line = {},
               .on_change = {}});
  other.Start();
  Enrol("dev-1");
  Campaign({"dev-1"});
  ChannelConfig config = Config();
  config.embedded.reset();
  config.external = ExternalBroker{.host = "127.0.0.1",
                                   .port = port_,
                                   .ca = folder_ / "ca.pem",
                                   .certificate = platform_files.certificate,
                                   .key = platform_files.key,
                                   .username = {}};
  Do([&](sql::Tx& tx) { return data::Contact(tx, "dev-1", key_.Pin()); });  // such a broker tells of no links
  StartChannel(config);
  Toy toy = MakeToy("dev-1");
  ASSERT_TRUE(toy.Connect());
  const auto welcome = toy.Hello();
  ASSERT_TRUE(welcome);
  EXPECT_TRUE(welcome->job);
}

// The platform as a process of its own, to be killed.
class KilledPlatform : public ChannelTest {
 protected:
  // Precondition: this process has no other threads.
  pid_t Fork() {
    database_.reset();
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe(ends.data()), 0);
    const pid_t pid = fork();
    if (pid == 0) {
      OpenDatabase();
      StartChannel();
      const char ready = HasFailure() ? '-' : '+';
      if (write(ends[1], &ready, 1) != 1) _exit(1);
      while (true) pause();
    }
    close(ends[1]);
    char ready = 0;
    EXPECT_EQ(read(ends[0], &ready, 1), 1);
    EXPECT_EQ(ready, '+');
    close(ends[0]);
    return pid;
  }
  static void Kill(pid_t pid) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
};

TEST_F(KilledPlatform, WhatItAcknowledgedItStillKnows) {
  Enrol("dev-1");
  Campaign({"dev-1"});
  pid_t platform = Fork();
  Toy toy = MakeToy("dev-1");
  ASSERT_TRUE(toy.Connect());
  ASSERT_TRUE(toy.Hello());
  toy.Tell(1, wire::Phase::kAccepted);
  toy.Tell(1, wire::Phase::kVerified);
  ASSERT_TRUE(toy.Acked(3));
  toy.Ready(1);
  ASSERT_TRUE(toy.Await<wire::PermitAnswer>());
  Kill(platform);
  EXPECT_TRUE(toy.client().WaitLost()) << "the broker goes with it";
  toy.Disconnect();

  OpenDatabase();
  EXPECT_EQ(JobOf("dev-1")->status, data::JobStatus::kVerified);
  EXPECT_TRUE(JobOf("dev-1")->permitted);
  platform = Fork();
  ASSERT_TRUE(toy.Connect());
  const auto welcome = toy.Hello();
  ASSERT_TRUE(welcome);
  EXPECT_EQ(welcome->ack.rev, 3U);
  ASSERT_TRUE(welcome->job);
  EXPECT_EQ(welcome->job->n, 1U);
  toy.Ready(1);
  const auto permit = toy.Await<wire::PermitAnswer>();
  ASSERT_TRUE(permit);
  EXPECT_FALSE(permit->permit.empty());
  toy.Disconnect();
  Kill(platform);
  OpenDatabase();
  EXPECT_EQ(Events(data::EventKind::kJobPermitted).size(), 1U) << "one credit";
}

}  // namespace
}  // namespace pawl
