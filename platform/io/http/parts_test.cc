// The small parts behind the routes: rules, members, rate limits, signing requests, errors.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "platform/io/http/csr.h"
#include "platform/io/http/errors.h"
#include "platform/io/http/members.h"
#include "platform/io/http/rate_limit.h"
#include "platform/io/http/rules.h"

namespace pawl::http {
namespace {

using namespace std::chrono_literals;

TEST(Rules, NamesAreCountedInCharactersWithoutControlCharacters) {
  EXPECT_TRUE(IsName("a"));
  std::string umlauts;
  for (int i = 0; i < 100; ++i) umlauts += "\xc3\xbc";
  EXPECT_TRUE(IsName(umlauts));
  EXPECT_FALSE(IsName(umlauts + "x"));
  EXPECT_FALSE(IsName(""));
  EXPECT_FALSE(IsName("a\nb"));
  EXPECT_FALSE(IsName("a\x7f"));
  EXPECT_FALSE(IsFileName("a/b"));
}

TEST(Rules, IdsAndLabelsAndDomains) {
  for (const char* good : {"a", "dev-0001", "0.a_b-c"}) EXPECT_TRUE(IsLabel(good)) << good;
  for (const char* bad : {"", "-a", ".a", "A", "a b", "a/b"}) EXPECT_FALSE(IsLabel(bad)) << bad;
  EXPECT_TRUE(IsLabel(std::string(63, 'a')));
  EXPECT_FALSE(IsLabel(std::string(64, 'a')));
  for (const char* good : {"a.b", "pawl.example", "x-1.y.z"}) EXPECT_TRUE(IsDomain(good)) << good;
  for (const char* bad : {"a", "a.", ".a", "a..b", "-a.b", "A.b", ""}) EXPECT_FALSE(IsDomain(bad)) << bad;
  EXPECT_FALSE(ParseDigest(std::string(64, 'A')));
  EXPECT_TRUE(ParseDigest(std::string(64, 'a')));
  EXPECT_FALSE(ParseDigest(std::string(63, 'a')));
}

TEST(Rules, TimesGoThereAndBack) {
  EXPECT_EQ(TimeText(1777897800123), "2026-05-04T12:30:00.123Z");
  EXPECT_EQ(TimeTextOfSeconds(1777897800), "2026-05-04T12:30:00Z");
  EXPECT_EQ(ParseTimeToSeconds("2026-05-04T12:30:00Z"), 1777897800U);
  EXPECT_EQ(ParseTimeToSeconds("2026-05-04T12:30:00.999Z"), 1777897800U);
  for (const char* bad : {"", "2026-05-04", "2026-05-04T12:30:00", "2026-05-04T12:30:00+00:00", "2026-02-30T00:00:00Z",
                          "2026-05-04T24:00:00Z", "2026-05-04T12:60:00Z", "1969-12-31T23:59:59Z",
                          "2026-05-04T12:30:00.Z", "2026-05-04T12:30:00.xZ"}) {
    EXPECT_FALSE(ParseTimeToSeconds(bad)) << bad;
  }
}

TEST(Members, NameWhatIsWrong) {
  const auto object =
      ParseJsonObject(R"({"text":"x","number":5,"texts":["a","b"],"object":{"deep":1},"double":1.5,"negative":-1})");
  ASSERT_TRUE(object);
  Members members(*object);
  EXPECT_EQ(*members.Text("text", IsName, ""), "x");
  EXPECT_EQ(*members.Number("number", 1, 5), 5U);
  EXPECT_EQ(members.Number("number", 1, 4).error().detail.view(), "number is 5: allowed is 1 to 4");
  EXPECT_EQ(members.Number("missing", 1, 4).error().detail.view(), "missing is missing");
  EXPECT_FALSE(members.Number("double", 0, 10));
  EXPECT_FALSE(members.Number("negative", 0, 10));
  EXPECT_FALSE(members.Number("text", 0, 10));
  EXPECT_EQ(members.Texts("texts", 2, IsName, "")->size(), 2U);
  EXPECT_FALSE(members.Texts("texts", 1, IsName, ""));
  EXPECT_EQ(members.End().error().detail.view(), "unknown member \"object\"");
  const auto deep = members.Object("object");
  ASSERT_TRUE(deep && *deep != nullptr);
  EXPECT_EQ(Members(**deep, "object").End().error().detail.view(), "unknown member \"object.deep\"");
  EXPECT_TRUE(members.End());
}

TEST(RateLimit, GivesABurstAndThenARateForEachKey) {
  RateLimit limit(2, 3);
  const auto now = RateLimit::Clock::now();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.Take("a", now));
  EXPECT_FALSE(limit.Take("a", now));
  EXPECT_TRUE(limit.Take("b", now));
  EXPECT_TRUE(limit.Take("a", now + 500ms));
  EXPECT_FALSE(limit.Take("a", now + 500ms));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.Take("a", now + 1h));
  EXPECT_FALSE(limit.Take("a", now + 1h));
}

TEST(RateLimit, ForgetsKeysThatAreFullAgainAndDeniesNewOnesWhenNoneIs) {
  RateLimit limit(1, 1);
  const auto now = RateLimit::Clock::now();
  for (std::size_t i = 0; i < RateLimit::kMaxKeys; ++i) ASSERT_TRUE(limit.Take(std::to_string(i), now));
  EXPECT_FALSE(limit.Take("one more", now));
  EXPECT_TRUE(limit.Take("one more", now + 2s));
}

std::string CsrOf(EVP_PKEY* key) {
  X509_REQ* request = X509_REQ_new();
  X509_REQ_set_pubkey(request, key);
  X509_REQ_sign(request, key, EVP_sha256());
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509_REQ(bio, request);
  char* data = nullptr;
  const long bytes = BIO_get_mem_data(bio, &data);
  std::string pem(data, static_cast<std::size_t>(bytes));
  BIO_free(bio);
  X509_REQ_free(request);
  EVP_PKEY_free(key);
  return pem;
}

TEST(Csr, OnlyAP256KeyThatSignedItIsTaken) {
  const auto key = PublicKeyOfCsr(CsrOf(EVP_EC_gen("P-256")));
  ASSERT_TRUE(key);
  EXPECT_EQ((*key)[0], 4);
  EXPECT_EQ(PublicKeyOfCsr(CsrOf(EVP_EC_gen("P-384"))).error().reason, Reason::kInvalidArgument);
  EXPECT_EQ(PublicKeyOfCsr(CsrOf(EVP_RSA_gen(2048))).error().reason, Reason::kInvalidArgument);
  EXPECT_EQ(PublicKeyOfCsr("").error().reason, Reason::kMalformed);
  EXPECT_EQ(PublicKeyOfCsr(std::string(kMaxCsrBytes + 1, 'x')).error().reason, Reason::kTooLarge);
}

TEST(Errors, EveryReasonHasAStatusAndSaysWhatToDo) {
  for (const ReasonEntry& entry : AllReasons()) {
    const unsigned status = StatusOf(entry.reason);
    EXPECT_TRUE(status >= 400 && status <= 503) << entry.text;
    const Response response = ErrorResponse(ErrorOf(entry.reason, ""));
    EXPECT_FALSE(StatusText(status).empty() || StatusText(status) == "Status") << status;
    EXPECT_NE(response.body.find("\"remedy\":\""), std::string::npos);
  }
}

TEST(Errors, NameOnlyThoseDevicesThatTheMessageNamesAsWholeWords) {
  const Response response =
      ErrorResponse(ErrorOf(Reason::kConflict, "a-1 has an open job, b is decommissioned"), "", {"a", "a-1", "b", "c"});
  EXPECT_NE(response.body.find(R"("devices":["a-1","b"])"), std::string::npos) << response.body;
}

}  // namespace
}  // namespace pawl::http
