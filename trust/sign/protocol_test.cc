#include "trust/sign/protocol.h"

#include <gtest/gtest.h>

namespace pawl::sign {
namespace {

ManifestRequest SomeManifest() {
  ManifestRequest request;
  request.facts = {.vendor = "pawl.example", .class_name = "virtual-1", .sequence = 7, .version = {2, 1, 0}};
  request.facts.trial_budget_s = 60;
  request.facts.use_before = 1798761600;
  request.facts.slot = 1;
  request.facts.sbom = Digest{1, 2, 3};
  request.artifact = {"sha-256/ab/cd", Digest{4, 5, 6}, 150000};
  return request;
}

// Encoding is the inverse of decoding: what comes back encodes to the same text.
void ExpectComesBack(const Request& request) {
  const std::string text = EncodeRequest(request);
  const auto decoded = DecodeRequest(text);
  ASSERT_TRUE(decoded) << text << ": " << decoded.error().detail.view();
  EXPECT_EQ(decoded->index(), request.index());
  EXPECT_EQ(EncodeRequest(*decoded), text);
}

TEST(SignerProtocol, EveryRequestComesBackFromItsJson) {
  Permit permit;
  permit.device = "dev-1";
  permit.job = ~std::uint64_t{0};
  ExpectComesBack(StatusRequest{});
  ExpectComesBack(CaCertificatesRequest{});
  ExpectComesBack(SomeManifest());
  ExpectComesBack(PermitRequest{permit});
  ExpectComesBack(DeviceCertificateFacts{"dev-1", PublicKey{4, 1}, 1, 2});
  ExpectComesBack(ServerCertificateFacts{PublicKey{4, 1}, {"localhost"}, {"127.0.0.1", "::1"}, 1, 2});
}

TEST(SignerProtocol, EveryAnswerComesBackFromItsJson) {
  SignerStatus status;
  status.hsm_problem = "HSM: C_Sign gave CKR_DEVICE_REMOVED";
  status.keys = {{"image", "pawl-image", KeyId{1}, PublicKey{4, 2}}};
  status.anchors = {1, 2, 3};
  for (const Answer& answer :
       {Answer(status), Answer(CaCertificates{"a", "b"}), Answer(SignedManifest{{1, 2}, Digest{3}, KeyId{4}}),
        Answer(SignedPermit{{1, 2}}), Answer(Certificate{"pem", {5}})}) {
    const std::string text = EncodeAnswer(answer);
    const auto decoded = DecodeAnswer(text);
    ASSERT_TRUE(decoded) << text;
    EXPECT_EQ(decoded->index(), answer.index());
    EXPECT_EQ(EncodeAnswer(*decoded), text);
  }
}

TEST(SignerProtocol, AnErrorKeepsItsReasonAndDetail) {
  const auto decoded = DecodeAnswer(EncodeAnswer(Fail(Reason::kHsm, "HSM: C_Sign gave CKR_GENERAL_ERROR")));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().reason, Reason::kHsm);
  EXPECT_EQ(decoded.error().detail.view(), "HSM: C_Sign gave CKR_GENERAL_ERROR");
}

TEST(SignerProtocol, NoOperationSignsADigest) {
  for (const char* operation : {"sign", "sign_digest", "sign_raw", "sign_hash", "C_Sign", "sign_certificate", ""}) {
    const std::string text = std::string(R"({"op":")") + operation + R"(","digest":")" + std::string(64, 'a') + R"("})";
    EXPECT_FALSE(DecodeRequest(text)) << text;
  }
}

TEST(SignerProtocol, AMemberTooManyTooFewOrOfAnotherTypeIsRefused) {
  const std::string good = EncodeRequest(DeviceCertificateFacts{"dev-1", PublicKey{4, 1}, 1, 2});
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return DecodeRequest(text);
  };
  ASSERT_TRUE(DecodeRequest(good));
  EXPECT_FALSE(with("\"device\"", "\"extra\":1,\"device\""));
  EXPECT_FALSE(with("\"device\":\"dev-1\",", ""));
  EXPECT_FALSE(with("\"dev-1\"", "7"));
  EXPECT_FALSE(with("\"not_after\":2", "\"not_after\":-2"));
  EXPECT_FALSE(with("\"not_after\":2", "\"not_after\":2.5"));
  EXPECT_FALSE(with("\"not_after\":2", "\"not_after\":\"2\""));
  EXPECT_FALSE(with("0401", "04zz"));
  EXPECT_FALSE(with("0401", "01"));
  for (const char* text : {"", "[]", "null", "{", "{\"op\":\"status\"}}", "{\"op\":1}", "\xff\xfe"}) {
    EXPECT_FALSE(DecodeRequest(text)) << text;
    EXPECT_FALSE(DecodeAnswer(text)) << text;
  }
  EXPECT_FALSE(DecodeAnswer(R"({"ok":{"permit":"AA"},"error":{"code":1,"message":""}})"));
}

TEST(SignerProtocol, VendorAndClassIdsAreRfc9562Version5) {
  const Uuid vendor = VendorId("pawl.example");
  EXPECT_EQ(vendor,
            (Uuid{0xa8, 0x72, 0x13, 0x2d, 0x81, 0x40, 0x56, 0x69, 0xad, 0x6e, 0x15, 0xd5, 0xd0, 0xeb, 0x8c, 0x66}));
  EXPECT_EQ(ClassId(vendor, "virtual-1"),
            (Uuid{0x50, 0x28, 0xba, 0x32, 0xf8, 0x27, 0x57, 0xbc, 0x83, 0x06, 0x85, 0xce, 0x16, 0x2a, 0xe0, 0x0f}));
}

}  // namespace
}  // namespace pawl::sign
