// The real Mosquitto with the real plugin, against real certificates: who gets in, who hears what.
#include "platform/io/channel/broker.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <set>

#include "base/text.h"
#include "broker/link.h"
#include "broker/view.h"
#include "platform/io/channel/mqtt.h"
#include "platform/io/channel/test_broker.h"

namespace pawl {
namespace {

using namespace std::chrono_literals;
using test::Client;
using test::ClientOptions;
using test::Key;

constexpr int kNotAuthorized = 135;

// What the platform's client was told, to wait for.
class Platform {
 public:
  explicit Platform(const std::string& socket)
      : client_({.host = socket,
                 .client_id = std::string(broker::kPlatformClient),
                 .username = std::string(broker::kPlatformClient),
                 .ca = {},
                 .certificate = {},
                 .key = {},
                 .filters = {std::string(broker::kUpFilter), std::string(broker::kLinkFilter)},
                 .on_message =
                     [this](std::string_view topic, std::string_view payload) {
                       Note([&] { inbox_.push_back({std::string(topic), std::string(payload)}); });
                     },
                 .on_change =
                     [this](bool up, const std::string&) {
                       Note([&] {
                         ups_ += up ? 1 : 0;
                         up_ = up;
                       });
                     }}) {
    client_.Start();
  }
  bool WaitUp(int times = 1) {
    return Wait([&] { return up_ && ups_ >= times; });
  }
  bool WaitMessage(const std::string& topic, const std::string& payload) {
    return Wait([&] {
      for (const auto& each : inbox_) {
        if (each.topic == topic && each.payload == payload) return true;
      }
      return false;
    });
  }
  std::size_t Count(const std::string& payload) {
    const std::scoped_lock lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count(inbox_, payload, &test::Received::payload));
  }
  bool Heard(const std::string& payload) { return Count(payload) > 0; }
  MqttClient& client() { return client_; }

 private:
  template <class Change>
  void Note(const Change& change) {
    {
      const std::scoped_lock lock(mutex_);
      change();
    }
    changed_.notify_all();
  }
  template <class Done>
  bool Wait(const Done& done) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, done);
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<test::Received> inbox_;
  int ups_ = 0;
  bool up_ = false;
  MqttClient client_;
};

class BrokerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto prepared = Broker::Prepare(pki_.Broker(port_),
                                    [this](std::string_view line) {
                                      const std::scoped_lock lock(log_mutex_);
                                      log_.append(line).append("\n");
                                    },
                                    {});
    ASSERT_TRUE(prepared) << prepared.error().detail.view();
    broker_ = std::move(*prepared);
    view_.emplace(broker_->ViewPath());
    Admit({"dev-1", "dev-2"});
    broker_->child().Start();
    const Status ready = broker_->child().WaitReady(20s);
    ASSERT_TRUE(ready) << ready.error().detail.view() << "\n" << log_;
    platform_ = std::make_unique<Platform>(broker_->SocketPath());
    ASSERT_TRUE(platform_->WaitUp()) << log_;
  }
  void TearDown() override {
    platform_.reset();
    broker_.reset();
    if (HasFailure()) std::cerr << log_;
  }

  // The registry from now on: these devices, all with the one key.
  void Admit(const std::set<std::string>& ids, std::uint64_t age_ms = 0) {
    broker::ViewBuilder builder;
    for (const std::string& id : ids) {
      ASSERT_TRUE(builder.Add({.id = id, .admitted = true, .state = 1, .pins = {key_.Pin()}, .pin_count = 1}));
    }
    ASSERT_TRUE(view_->Replace(std::move(builder).Finish(++generation_, broker::BootTimeMs() - age_ms), 0640,
                               broker_->ReaderGroup()));
  }
  ClientOptions Device(const std::string& name) { return pki_.Device(port_, name, key_); }
  static std::string Up(const std::string& device) { return "pawl/1/default/" + device + "/up"; }
  static std::string Down(const std::string& device) { return "pawl/1/default/" + device + "/down"; }
  static std::string Link(const std::string& device) { return "pawl/1/default/" + device + "/link"; }
  std::string PinText() const {
    std::array<char, 64> digits{};
    return std::string(HexEncode(key_.Pin(), digits));
  }

  test::Folder folder_;
  test::Pki pki_{folder_};
  Key key_;
  std::uint16_t port_ = test::FreePort();
  std::uint64_t generation_ = 0;
  std::unique_ptr<Broker> broker_;
  std::optional<broker::ViewFile> view_;
  std::mutex log_mutex_;
  std::string log_;
  std::unique_ptr<Platform> platform_;
};

TEST_F(BrokerTest, AnActiveDeviceGetsInAndTalksWithThePlatform) {
  Client device(Device("dev-1"));
  ASSERT_EQ(device.Connack(), 0);
  EXPECT_TRUE(platform_->WaitMessage(Link("dev-1"), PinText()));
  ASSERT_LT(device.Subscribe(Down("dev-1")), 128);
  EXPECT_EQ(device.Publish(Up("dev-1"), "good morning"), 0);
  EXPECT_TRUE(platform_->WaitMessage(Up("dev-1"), "good morning"));
  ASSERT_TRUE(platform_->client().Publish(Down("dev-1"), "hello yourself"));
  const auto answer = device.WaitMessage();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->payload, "hello yourself");
}

TEST_F(BrokerTest, WhoHasNoGoodCertificateDoesNotEvenGetAConnack) {
  ClientOptions options = Device("dev-1");
  options.certificate.clear();
  options.key.clear();
  EXPECT_EQ(Client(options).Connack(), -1) << "no certificate";
  const test::Authority other("device CA");
  EXPECT_EQ(Client(pki_.Device(port_, "dev-1", key_, &other)).Connack(), -1) << "another CA of the same name";
  EXPECT_EQ(Client(pki_.Device(port_, "dev-1", key_, &pki_.server_ca())).Connack(), -1) << "the server CA";
  EXPECT_EQ(Client(pki_.Device(port_, "dev-1", key_, nullptr, -10)).Connack(), -1) << "expired";
  EXPECT_EQ(Client(pki_.Device(port_, "dev-1", key_, nullptr, 3600, "serverAuth")).Connack(), -1) << "no client's";
  options = Device("dev-1");
  options.ca.clear();
  options.certificate.clear();
  EXPECT_EQ(Client(options).Connack(), -1) << "no TLS";
}

TEST_F(BrokerTest, WhoTheRegistryDoesNotAdmitIsRefusedAtTheConnack) {
  EXPECT_EQ(Client(Device("dev-9")).Connack(), kNotAuthorized) << "unknown";
  EXPECT_EQ(Client(pki_.Device(port_, "dev-1", Key())).Connack(), kNotAuthorized)
      << "a genuine certificate, another key";
  ClientOptions options = Device("dev-1");
  options.username = "dev-2";
  EXPECT_EQ(Client(options).Connack(), kNotAuthorized) << "another's username";
  options = Device("dev-1");
  options.client_id = "dev-2";
  EXPECT_EQ(Client(options).Connack(), kNotAuthorized) << "another's client id";
  options = Device("dev-1");
  options.username.clear();
  EXPECT_EQ(Client(options).Connack(), kNotAuthorized) << "no username";
  options = Device("dev-1");
  options.username = options.client_id = broker::kPlatformClient;
  EXPECT_EQ(Client(options).Connack(), kNotAuthorized) << "the platform's name";
  options = Device("dev-1");
  options.auth_method = "SCRAM-SHA-256";
  EXPECT_NE(Client(options).Connack(), 0) << "a way around the basic check";
  Admit({"dev-2"});
  EXPECT_EQ(Client(Device("dev-1")).Connack(), kNotAuthorized) << "suspended";
  EXPECT_EQ(Client(Device("dev-2")).Connack(), 0);
}

TEST_F(BrokerTest, WithoutAFreshSoundViewNobodyGetsIn) {
  Admit({"dev-1"}, 10'500);
  EXPECT_EQ(Client(Device("dev-1")).Connack(), kNotAuthorized) << "stale";
  std::filesystem::remove(broker_->ViewPath());
  EXPECT_EQ(Client(Device("dev-1")).Connack(), kNotAuthorized) << "gone";
  std::ofstream(broker_->ViewPath()) << std::string(1000, 'x');
  std::filesystem::permissions(broker_->ViewPath(), std::filesystem::perms(0644));
  EXPECT_EQ(Client(Device("dev-1")).Connack(), kNotAuthorized) << "corrupt";
  Admit({"dev-1"});
  // After an unreadable view the plugin looks again within 200 ms.
  int code = kNotAuthorized;
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (code != 0 && std::chrono::steady_clock::now() < deadline) code = Client(Device("dev-1")).Connack();
  EXPECT_EQ(code, 0) << "it recovers";
}

TEST_F(BrokerTest, ASuspendedDeviceIsThrownOffAtOnce) {
  Client first(Device("dev-1"));
  Client second(Device("dev-2"));
  ASSERT_TRUE(first.Admitted());
  ASSERT_TRUE(second.Admitted());
  ASSERT_TRUE(platform_->WaitMessage(Link("dev-1"), PinText()));
  Admit({"dev-2"});
  EXPECT_TRUE(first.WaitLost(2s));
  EXPECT_TRUE(platform_->WaitMessage(Link("dev-1"), ""));
  EXPECT_EQ(Client(Device("dev-1")).Connack(), kNotAuthorized);
  EXPECT_EQ(second.Publish(Up("dev-2"), "still here"), 0);
  EXPECT_FALSE(second.lost());
}

TEST_F(BrokerTest, ADeviceHearsNothingOfOthers) {
  Client spy(Device("dev-1"));
  Client victim(Device("dev-2"));
  ASSERT_TRUE(spy.Admitted());
  ASSERT_TRUE(victim.Admitted());
  for (const char* filter : {"#", "+/#", "pawl/1/+/+/up", "pawl/1/default/dev-2/down", "pawl/1/default/+/down",
                             "pawl/1/+/+/link", "$SYS/#", "$share/g/pawl/1/default/dev-2/down"}) {
    spy.Subscribe(filter);  // what counts is what is delivered, not the SUBACK
  }
  ASSERT_LT(spy.Subscribe(Down("dev-1")), 128);
  ASSERT_LT(victim.Subscribe(Down("dev-2")), 128);
  ASSERT_EQ(victim.Publish(Up("dev-2"), "secret of dev-2"), 0);
  ASSERT_TRUE(platform_->client().Publish(Down("dev-2"), "for dev-2 alone"));
  ASSERT_TRUE(victim.WaitMessage());
  // The platform's messages arrive in order: after this one, nothing of before is on its way.
  ASSERT_TRUE(platform_->client().Publish(Down("dev-1"), "the end"));
  const auto heard = spy.WaitMessage();
  ASSERT_TRUE(heard);
  EXPECT_EQ(heard->topic, Down("dev-1"));
  EXPECT_EQ(heard->payload, "the end");
  EXPECT_EQ(spy.Waiting(), 0U);
}

TEST_F(BrokerTest, ADeviceCannotSpeakForOthersNorForThePlatform) {
  Client liar(Device("dev-1"));
  Client victim(Device("dev-2"));
  ASSERT_TRUE(liar.Admitted());
  ASSERT_TRUE(victim.Admitted());
  ASSERT_LT(victim.Subscribe(Down("dev-2")), 128);
  EXPECT_EQ(liar.Publish(Up("dev-2"), "I am dev-2"), kNotAuthorized);
  EXPECT_EQ(liar.Publish(Down("dev-2"), "install this"), kNotAuthorized);
  EXPECT_EQ(liar.Publish(Down("dev-1"), "install this"), kNotAuthorized);
  EXPECT_EQ(liar.Publish(Link("dev-2"), ""), kNotAuthorized);
  EXPECT_EQ(liar.Publish("pawl/1/other/dev-1/up", "another tenant"), kNotAuthorized);
  EXPECT_EQ(liar.Publish(Up("dev-1"), "keep this", true), kNotAuthorized) << "nothing is retained";
  ASSERT_EQ(liar.Publish(Up("dev-1"), "the end"), 0);
  ASSERT_TRUE(platform_->WaitMessage(Up("dev-1"), "the end"));
  for (const char* lie : {"I am dev-2", "install this", "another tenant", "keep this"}) {
    EXPECT_FALSE(platform_->Heard(lie)) << lie;
  }
  ASSERT_TRUE(platform_->client().Publish(Down("dev-2"), "the truth"));
  const auto heard = victim.WaitMessage();
  ASSERT_TRUE(heard);
  EXPECT_EQ(heard->payload, "the truth");
}

TEST_F(BrokerTest, AFloodReachesThePlatformCutToSize) {
  Client noisy(Device("dev-1"));
  Client quiet(Device("dev-2"));
  ASSERT_TRUE(noisy.Admitted());
  ASSERT_TRUE(quiet.Admitted());
  for (int i = 0; i < 20'000; ++i) noisy.Send(Up("dev-1"), "noise", 0);
  ASSERT_NE(noisy.Publish(Up("dev-1"), "end of noise"), -1);  // the broker has taken all before it
  ASSERT_EQ(quiet.Publish(Up("dev-2"), "quiet"), 0);
  ASSERT_TRUE(platform_->WaitMessage(Up("dev-2"), "quiet"));
  EXPECT_GE(platform_->Count("noise"), 50U);
  EXPECT_LT(platform_->Count("noise"), 2000U);
}

TEST_F(BrokerTest, AnOversizeMessageEndsItsSendersConnectionOnly) {
  Client device(Device("dev-1"));
  Client other(Device("dev-2"));
  ASSERT_TRUE(device.Admitted());
  ASSERT_TRUE(other.Admitted());
  // The library itself keeps to the broker's announced limit; so an honest client cannot even send it.
  const int sent = device.Publish(Up("dev-1"), std::string(16384, 'x'));
  EXPECT_EQ(sent, 0) << "the largest message of the protocol";
  mosquitto* raw = mosquitto_new("dev-2", true, nullptr);  // MQTT 3.1.1 knows no announced limit
  const ClientOptions options = Device("dev-2");
  mosquitto_username_pw_set(raw, "dev-2", nullptr);
  mosquitto_tls_set(raw, options.ca.c_str(), nullptr, options.certificate.c_str(), options.key.c_str(), nullptr);
  ASSERT_EQ(mosquitto_connect(raw, "127.0.0.1", port_, 60), MOSQ_ERR_SUCCESS);
  const std::string huge(100'000, 'y');
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  int rc = MOSQ_ERR_SUCCESS;
  bool published = false;
  while (rc == MOSQ_ERR_SUCCESS && std::chrono::steady_clock::now() < deadline) {
    if (!published && other.lost()) {  // the raw client has taken dev-2's place: it is connected
      published = true;
      mosquitto_publish(raw, nullptr, Up("dev-2").c_str(), static_cast<int>(huge.size()), huge.data(), 1, false);
    }
    rc = mosquitto_loop(raw, 50, 1);
  }
  EXPECT_TRUE(published);
  EXPECT_NE(rc, MOSQ_ERR_SUCCESS) << "thrown off";
  mosquitto_destroy(raw);
  EXPECT_FALSE(platform_->Heard(huge));
  EXPECT_FALSE(device.lost());
}

TEST_F(BrokerTest, AKilledBrokerComesBackAndThePlatformWithIt) {
  Client device(Device("dev-1"));
  ASSERT_TRUE(device.Admitted());
  kill(broker_->child().health().pid, SIGKILL);
  EXPECT_TRUE(device.WaitLost());
  ASSERT_TRUE(platform_->WaitUp(2));
  EXPECT_EQ(broker_->child().health().restarts, 1U);
  Client again(Device("dev-1"));
  ASSERT_TRUE(again.Admitted());
  EXPECT_EQ(again.Publish(Up("dev-1"), "back"), 0);
  EXPECT_TRUE(platform_->WaitMessage(Up("dev-1"), "back"));
}

TEST_F(BrokerTest, WhoSubscribesLaterLearnsWhoIsConnected) {
  Client device(Device("dev-1"));
  ASSERT_TRUE(device.Admitted());
  ASSERT_TRUE(platform_->WaitMessage(Link("dev-1"), PinText()));
  platform_ = std::make_unique<Platform>(broker_->SocketPath());
  EXPECT_TRUE(platform_->WaitMessage(Link("dev-1"), PinText()));
}

TEST_F(BrokerTest, TheNewerConnectionOfADeviceReplacesTheOlder) {
  Client first(Device("dev-1"));
  ASSERT_TRUE(first.Admitted());
  Client second(Device("dev-1"));
  ASSERT_TRUE(second.Admitted());
  EXPECT_TRUE(first.WaitLost());
  ASSERT_EQ(second.Publish(Up("dev-1"), "second"), 0);
  ASSERT_TRUE(platform_->WaitMessage(Up("dev-1"), "second"));
  EXPECT_FALSE(platform_->Heard("")) << "the device was connected all the time";
}

TEST(BrokerChild, SaysThatItsPortIsTaken) {
  const test::Folder folder;
  const test::Pki pki(folder);
  const auto [taken, port] = test::Listen();
  auto broker = Broker::Prepare(pki.Broker(port), {}, {});
  ASSERT_TRUE(broker);
  (*broker)->child().Start();
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while ((*broker)->child().health().restarts == 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  const Status ready = (*broker)->child().WaitReady(1ms);
  ASSERT_FALSE(ready);
  EXPECT_TRUE(ready.error().detail.view().contains("Address already in use")) << ready.error().detail.view();
  close(taken);
}

TEST(BrokerPrepare, NamesWhatIsWrong) {
  const test::Folder folder;
  const test::Pki pki(folder);
  const auto error_of = [](const EmbeddedBroker& config) {
    const auto prepared = Broker::Prepare(config, {}, {});
    return prepared ? std::string() : std::string(prepared.error().detail.view());
  };
  EmbeddedBroker config = pki.Broker(1883);
  config.program = "/no/mosquitto";
  EXPECT_TRUE(error_of(config).contains("no broker at /no/mosquitto: install mosquitto"));
  config = pki.Broker(1883);
  config.plugin = "/no/plugin.so";
  EXPECT_TRUE(error_of(config).contains("cannot read /no/plugin.so"));
  config = pki.Broker(1883);
  config.address = "127.0.0.1\nallow_anonymous true";
  EXPECT_TRUE(error_of(config).contains("must be an IP address"));
  config = pki.Broker(0);
  EXPECT_TRUE(error_of(config).contains("port"));
}

}  // namespace
}  // namespace pawl
