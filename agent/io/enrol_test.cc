#include "agent/io/enrol.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/json.hpp>

#include "agent/io/system.h"
#include "agent/io/test_tls.h"
#include "base/hosted/files.h"
#include "trust/crypto/crypto.h"

namespace pawl::agent {
namespace {

Key KeyOf(const PublicKey& point, Role role) {
  return {.kid = crypto::KeyIdOf(point), .public_key = point, .roles = static_cast<std::uint8_t>(role)};
}

std::vector<std::uint8_t> AnchorsFor(const PublicKey& tls_root) {
  KeyTable table;
  for (int i = 0; i < 3; ++i) table.keys.push_back(KeyOf(PrivateKey::Generate().value().public_key(), Role::kRoot));
  for (const Role role : {Role::kImage, Role::kImage, Role::kDirector, Role::kDirector}) {
    table.keys.push_back(KeyOf(PrivateKey::Generate().value().public_key(), role));
  }
  table.keys.push_back(KeyOf(tls_root, Role::kTlsRoot));
  table.thresholds = {2, 1, 1, 1};
  std::vector<std::uint8_t> bytes(kMaxAnchorsBytes);
  bytes.resize(EncodeAnchors(table, bytes).value());
  return bytes;
}

class EnrolTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_ / "rom");
    std::filesystem::create_directories(folder_ / "data");
    const PublicKey root = ReadCertificate(platform_.ca.pem).value().public_key;
    ASSERT_TRUE(WriteFileDurably(folder_ / "rom/anchors.cbor", AnchorsFor(root), 0644));
    ASSERT_TRUE(WriteFileDurably(folder_ / "ca.pem", platform_.ca.pem, 0644));
    ASSERT_TRUE(WriteFileDurably(folder_ / "dev-0001.claim", "0123456789abcdef\n", 0644));
    options_ = {folder_.path(), folder_ / "dev-0001.claim", "", server_.Url(""), folder_ / "ca.pem"};
    config_ = LoadConfig(folder_.path()).value();
  }

  // Signs what is asked for, as the platform would: the key of the request, the name of the claim.
  void Answer(const TestRequest& request, TestServer::Reply& reply) {
    if (status_ != 200) return reply.Answer(status_, "", R"({"error":{"message":"no claim for this device"}})");
    const boost::json::value body = boost::json::parse(request.body);
    const std::string csr(body.at("csr").as_string());
    const BioPtr bio(BIO_new_mem_buf(csr.data(), static_cast<int>(csr.size())));
    const X509ReqPtr parsed(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
    ASSERT_TRUE(parsed);
    ASSERT_EQ(X509_REQ_verify(parsed.get(), X509_REQ_get0_pubkey(parsed.get())), 1);
    const BioPtr key_bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_PUBKEY(key_bio.get(), X509_REQ_get0_pubkey(parsed.get()));
    bodies_.push_back(request.body);
    reply.Answer(200, "",
                 boost::json::serialize(boost::json::value{{"certificate", Certify(parsed.get())}, {"device_ca", ""}}));
  }
  std::string Certify(X509_REQ* request) const {
    const X509Ptr certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), life_s_);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>("dev-0001"), -1, -1, 0);
    X509_set_pubkey(certificate.get(), X509_REQ_get0_pubkey(request));
    X509_sign(certificate.get(), static_cast<EVP_PKEY*>(platform_.device_ca.key.native()), EVP_sha256());
    const BioPtr out(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(out.get(), certificate.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<std::size_t>(size)};
  }

  TestFolder folder_;
  TestPlatform platform_;
  int status_ = 200;
  long life_s_ = 86'400;
  std::vector<std::string> bodies_;
  TestServer server_{platform_.server, "",
                     [this](const TestRequest& r, TestServer::Reply& reply) { Answer(r, reply); }};
  EnrolOptions options_;
  Config config_;
};

TEST_F(EnrolTest, GivesTheDeviceItsCertificateAndKeepsTheKeyPrivate) {
  const auto facts = Enrol(options_);
  ASSERT_TRUE(facts) << facts.error().detail.view();
  EXPECT_EQ(facts->common_name, "dev-0001");
  EXPECT_EQ(LoadIdentity(config_).value().id(), "dev-0001");
  EXPECT_TRUE(LoadPinnedCas(config_, LoadAnchors(config_).value()));
  struct stat info{};
  ASSERT_EQ(::stat((folder_ / "data/device.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  const boost::json::value body = boost::json::parse(bodies_.at(0));
  EXPECT_EQ(body.at("id").as_string(), "dev-0001");
  EXPECT_EQ(body.at("token").as_string(), "0123456789abcdef");
}

TEST_F(EnrolTest, ALostAnswerIsAskedForAgainWithTheSameKey) {
  status_ = 503;
  EXPECT_EQ(Enrol(options_).error().reason, Reason::kUnavailable);
  const auto key = PrivateKey::LoadOrGenerate(folder_ / "data/device.key").value();
  status_ = 200;
  ASSERT_TRUE(Enrol(options_));
  EXPECT_EQ(LoadIdentity(config_).value().facts.public_key, key.public_key());
}

TEST_F(EnrolTest, ARefusalIsToldInTheServersWords) {
  status_ = 403;
  const auto facts = Enrol(options_);
  EXPECT_EQ(facts.error().reason, Reason::kForbidden);
  EXPECT_EQ(facts.error().detail.view(), "no claim for this device");
}

TEST_F(EnrolTest, AnotherPlatformsCaIsRefusedBeforeAnythingIsSaid) {
  ASSERT_TRUE(WriteFileDurably(folder_ / "ca.pem", platform_.device_ca.pem, 0644));
  const auto facts = Enrol(options_);
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().reason, Reason::kTls);
  EXPECT_TRUE(server_.requests().empty());
  EXPECT_FALSE(FileExists(folder_ / "data/ca.pem"));
}

TEST_F(EnrolTest, AServerOfAnotherCaGetsNoToken) {
  const TestCertificate other = TestCertificate::Make({.name = "Another CA", .ca = true});
  TestServer impostor(TestCertificate::Make({}, &other), "", [](const TestRequest&, TestServer::Reply&) {});
  options_.url = impostor.Url("");
  EXPECT_EQ(Enrol(options_).error().reason, Reason::kTls);
  EXPECT_TRUE(impostor.requests().empty());
}

class RenewalTest : public EnrolTest {
 protected:
  bool RunRenewal(const DeviceIdentity& identity, std::uint64_t now_s) {
    config_.https_urls = {server_.Url("")};
    http_.UseTls(platform_.ClientTls());
    Renewal renewal(http_, config_);
    std::vector<pollfd> none;
    const std::uint64_t end_ms = MonotonicMs() + 5000;
    while (MonotonicMs() < end_ms) {
      if (renewal.Work(identity, now_s, MonotonicMs())) return true;
      if (renewal.next_ms() != 0 && server_.requests().size() < 2 && now_s < RenewalTime(identity.facts)) return false;
      http_.Poll(none, 10);
    }
    return false;
  }
  HttpClient http_;
};

TEST_F(RenewalTest, HappensAtTwoThirdsOfTheLifeWithANewKey) {
  ASSERT_TRUE(Enrol(options_));
  const DeviceIdentity old = LoadIdentity(config_).value();
  const std::uint64_t due = RenewalTime(old.facts);
  EXPECT_NEAR(static_cast<double>(due - old.facts.not_before),
              2.0 / 3 * static_cast<double>(old.facts.not_after - old.facts.not_before), 3);
  EXPECT_FALSE(RunRenewal(old, due - 1));
  ASSERT_TRUE(RunRenewal(old, due));
  const DeviceIdentity renewed = LoadIdentity(config_).value();
  EXPECT_EQ(renewed.id(), "dev-0001");
  EXPECT_NE(renewed.facts.public_key, old.facts.public_key);
  EXPECT_FALSE(FileExists(folder_ / "data/device.next.pem"));
  EXPECT_FALSE(FileExists(folder_ / "data/device.next.key"));
}

TEST_F(RenewalTest, ACutWhileTheNewPairIsTakenOverLeavesAPairThatFits) {
  ASSERT_TRUE(Enrol(options_));
  const PrivateKey key = PrivateKey::Generate().value();
  const TestCertificate fresh = TestCertificate::Make({.name = "dev-0001"}, &platform_.device_ca);
  ASSERT_TRUE(WriteFileDurably(folder_ / "data/device.next.pem", fresh.key.Pem() + fresh.pem, 0600));
  EXPECT_EQ(LoadIdentity(config_).value().facts.public_key, fresh.key.public_key());
  ASSERT_TRUE(WriteFileDurably(folder_ / "data/device.key", fresh.key.Pem(), 0600));  // cut after the first of two
  EXPECT_EQ(LoadIdentity(config_).value().facts.public_key, fresh.key.public_key());
}

TEST_F(EnrolTest, AKeyAndACertificateThatDoNotBelongTogetherAreRefused) {
  ASSERT_TRUE(Enrol(options_));
  ASSERT_TRUE(WriteFileDurably(folder_ / "data/device.key", PrivateKey::Generate().value().Pem(), 0600));
  EXPECT_EQ(LoadIdentity(config_).error().reason, Reason::kInvalidArgument);
}

TEST(Claim, TakesItsIdFromTheOptionTheFileOrTheFilesName) {
  EXPECT_EQ(ParseClaim("token\n", "/x/dev-1.claim", "").value().id, "dev-1");
  EXPECT_EQ(ParseClaim("token\n", "/x/dev-1.claim", "dev-2").value().id, "dev-2");
  EXPECT_EQ(ParseClaim("dev-3 token\n", "/x/any", "").value().id, "dev-3");
  EXPECT_EQ(ParseClaim("dev-3 token\n", "/x/any", "").value().token, "token");
  EXPECT_FALSE(ParseClaim("token", "/x/Bad Name", ""));
  EXPECT_FALSE(ParseClaim("  \n", "dev-1.claim", ""));
  EXPECT_FALSE(ParseClaim("dev-1 to\tken", "x", ""));
}

TEST(CertificateAnswer, IsTakenOnlyFromAWellFormed200) {
  EXPECT_EQ(ParseCertificateAnswer(200, R"({"certificate":"pem"})").value(), "pem");
  for (const char* bad : {"", "{", "[]", "{}", R"({"certificate":5})"})
    EXPECT_FALSE(ParseCertificateAnswer(200, bad)) << bad;
  EXPECT_EQ(ParseCertificateAnswer(409, "").error().reason, Reason::kConflict);
  EXPECT_EQ(ParseCertificateAnswer(429, "{}").error().reason, Reason::kRateLimited);
}

// --- TLS ---

class TlsTest : public testing::Test {
 protected:
  HttpOutcome Get(const TlsSettings& settings, const TestCertificate& certificate,
                  std::string_view host = "127.0.0.1") {
    TestServer server(certificate, "",
                      [](const TestRequest&, TestServer::Reply& reply) { reply.Answer(200, "", "ok"); });
    HttpClient http;
    http.UseTls(std::make_shared<const Tls>(settings));
    HttpRequest request;
    request.url = "https://" + std::string(host) + ":" + std::to_string(server.port()) + "/";
    request.allow_loopback = true;
    SmallBody body;
    http.Start(request, body);
    std::vector<pollfd> none;
    for (int i = 0; i < 500 && !body.done; ++i) http.Poll(none, 20);
    return body.outcome;
  }
  TestCertificate Server(std::int64_t from_s, std::int64_t to_s) {
    return TestCertificate::Make({.name = "127.0.0.1", .not_before_s = from_s, .not_after_s = to_s}, &platform_.ca);
  }

  TestPlatform platform_;
};

TEST_F(TlsTest, TheHostsNameIsChecked) {
  EXPECT_FALSE(Get(platform_.Settings(), platform_.server).error);
  const TestCertificate named = TestCertificate::Make({.name = "platform.example"}, &platform_.ca);
  EXPECT_EQ(Get(platform_.Settings(), named).error->reason, Reason::kTls);
  EXPECT_EQ(Get(platform_.Settings(), platform_.server, "localhost").error->reason, Reason::kTls);
}

TEST_F(TlsTest, WithoutSettingsNothingIsSent) {
  TestServer server(platform_.server, "", [](const TestRequest&, TestServer::Reply&) {});
  HttpClient http;
  HttpRequest request;
  request.url = server.Url("/");
  request.allow_loopback = true;
  SmallBody body;
  http.Start(request, body);
  std::vector<pollfd> none;
  for (int i = 0; i < 500 && !body.done; ++i) http.Poll(none, 20);
  ASSERT_TRUE(body.done);
  EXPECT_EQ(body.outcome.error->reason, Reason::kTls);
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(TlsTest, ExpiryIsMeasuredByTheFloorWhateverTheClockSays) {
  TlsSettings settings = platform_.Settings();
  settings.clock = 0;  // never set
  EXPECT_FALSE(Get(settings, platform_.server).error);
  settings.clock = settings.time_floor + 100ULL * 365 * 86'400;  // a hundred years ahead
  EXPECT_FALSE(Get(settings, platform_.server).error);
  settings.time_floor += 2 * 86'400;
  EXPECT_EQ(Get(settings, platform_.server).error->reason, Reason::kTls);
}

TEST_F(TlsTest, NotBeforeCountsOnlyIfTheClockWasEverSet) {
  TlsSettings settings = platform_.Settings();
  settings.build_time = settings.time_floor - 1000;
  settings.time_floor -= 500;  // the certificate was made since
  const TestCertificate fresh = Server(-100, 86'400);
  EXPECT_FALSE(Get(settings, fresh).error);
  const TestCertificate future = Server(86'400, 2 * 86'400);
  EXPECT_EQ(Get(settings, future).error->reason, Reason::kTls);
  settings.clock = 5;
  EXPECT_FALSE(Get(settings, future).error);
}

}  // namespace
}  // namespace pawl::agent
