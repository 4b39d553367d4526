// The routes for devices without their TLS: certificates that time has passed over, and strangers who try too often.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>

#include "platform/io/data/test_platform.h"
#include "platform/io/http/api.h"
#include "platform/io/store/directory/directory_store.h"

namespace pawl::http {
namespace {

using data::testing::Must;

std::string NewCsr() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509_REQ* request = X509_REQ_new();
  X509_REQ_set_pubkey(request, key);
  X509_REQ_sign(request, key, EVP_sha256());
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509_REQ(bio, request);
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(bio, &text);
  std::string escaped;
  for (const char c : std::string(text, static_cast<std::size_t>(bytes)))
    escaped += c == '\n' ? "\\n" : std::string(1, c);
  BIO_free(bio);
  X509_REQ_free(request);
  EVP_PKEY_free(key);
  return escaped;
}

class DeviceRoutes : public ::testing::Test {
 protected:
  DeviceRoutes() : store_(Must(store::OpenDirectoryStore(folder_ / "artifacts"))) {
    platform_.MakeClass();
    api_.issue = [this](const DeviceCertificateFacts& facts) -> Result<Certificate> {
      if (signer_is_away_) return Fail(Reason::kUnavailable, "the signer does not answer");
      return Certificate{"certificate of " + facts.device, {}};
    };
    AddDeviceRoutes(router_, api_);
  }

  static ApiConfig Config() {
    ApiConfig config;
    config.enrolments_per_s = 0.001;
    config.enrolments_burst = 3;
    return config;
  }

  Response Ask(const std::string& method, const std::string& path, const std::string& body = {}) {
    const Router::Match match = router_.Find(method, path);
    Request request;
    request.method = method;
    request.path = path;
    request.query = query_;
    request.headers = {{"content-type", "application/json"}};
    request.parameters = match.parameters;
    request.peer = {"192.0.2.1", certificate_};
    request.body = body;
    return match.route->handler(request);
  }
  // The certificate of the connection: pinned, and with so long to live.
  void Present(const std::string& device, std::int64_t life_s) {
    certificate_ = PeerCertificate{device, data::testing::Platform::SpkiOf(device), 0, std::time(nullptr) + life_s};
  }

  data::testing::TemporaryFolder folder_;
  data::testing::Platform platform_;
  std::unique_ptr<store::ArtifactStore> store_;
  Metrics metrics_;
  Api api_{.database = platform_.database(), .store = *store_, .metrics = metrics_, .config = Config()};
  Router router_;
  Fields query_ = {{"nonce", "000102030405060708090a0b0c0d0e0f"}};
  std::optional<PeerCertificate> certificate_;
  bool signer_is_away_ = false;
};

TEST_F(DeviceRoutes, AnExpiredCertificateOpensNothingButItsOwnRenewal) {
  platform_.MakeActive("dev-1");
  Present("dev-1", 100);
  EXPECT_EQ(Ask("GET", "/device/v1/nonce").status, 200);
  Present("dev-1", -1);
  const Response refused = Ask("GET", "/device/v1/nonce");
  EXPECT_EQ(refused.status, 403);
  EXPECT_NE(refused.body.find("/device/v1/renew"), std::string::npos);
  EXPECT_EQ(Ask("GET", "/artifacts/v1/" + std::string(64, '0')).status, 403);
  EXPECT_EQ(Ask("POST", "/device/v1/renew", "{\"csr\":\"" + NewCsr() + "\"}").status, 200);
}

TEST_F(DeviceRoutes, AnExpiredCertificateOfASuspendedDeviceRenewsNothing) {
  platform_.MakeActive("dev-1");
  platform_.Do([](sql::Tx& tx) {
    return data::ChangeDeviceState(tx, data::testing::kOperator, "dev-1", data::DeviceAction::kSuspend, "");
  });
  Present("dev-1", -1);
  EXPECT_EQ(Ask("POST", "/device/v1/renew", "{\"csr\":\"" + NewCsr() + "\"}").status, 403);
}

TEST_F(DeviceRoutes, AnEnrolmentThatTheSignerCutOffGoesOnWithTheSameKey) {
  const std::string body =
      R"({"id":"dev-1","token":")" + platform_.MakeClaim("dev-1") + R"(","csr":")" + NewCsr() + "\"}";
  signer_is_away_ = true;
  const Response waiting = Ask("POST", "/enrol/v1", body);
  EXPECT_EQ(waiting.status, 503);
  EXPECT_NE(waiting.body.find("the signer does not answer"), std::string::npos);
  signer_is_away_ = false;
  const Response enrolled = Ask("POST", "/enrol/v1", body);
  EXPECT_EQ(enrolled.status, 200);
  EXPECT_NE(enrolled.body.find("certificate of dev-1"), std::string::npos);
}

TEST_F(DeviceRoutes, EnrolmentsOfOneAddressAreLimitedBeforeAnythingIsLookedAt) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Ask("POST", "/enrol/v1", "{").status, 400);
  const Response limited = Ask("POST", "/enrol/v1", "{");
  EXPECT_EQ(limited.status, 429);
  EXPECT_NE(limited.body.find("192.0.2.1"), std::string::npos);
}

}  // namespace
}  // namespace pawl::http
