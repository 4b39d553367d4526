#include "trust/verify/verify.h"

#include <gtest/gtest.h>

#include "trust/verify/golden.h"

namespace pawl {
namespace {

using golden::Hex;
using golden::HexTo;

TEST(Golden, TheEncoderWritesTheEnvelopeByteByByte) {
  std::array<std::uint8_t, 1024> manifest{};
  const auto manifest_bytes = EncodeManifest(golden::TheManifest(), manifest);
  ASSERT_TRUE(manifest_bytes.has_value()) << manifest_bytes.error().detail.view();
  const SignatureBlock block{.kid = HexTo<KeyId>(golden::kImageKid), .signature = HexTo<Signature>(golden::kSignature)};
  std::array<std::uint8_t, 1024> envelope{};
  const auto size = EncodeEnvelope(ByteView(manifest).first(*manifest_bytes), HexTo<Digest>(golden::kManifestDigest),
                                   {&block, 1}, envelope);
  ASSERT_EQ(size.value(), 411U);
  EXPECT_TRUE(Equal(ByteView(envelope).first(*size), Hex(golden::kEnvelope)));
}

TEST(Golden, TheEnvelopeVerifiesAndSaysWhatWasSigned) {
  const auto verified = Verify(Hex(golden::kEnvelope), golden::TheKeys());
  ASSERT_TRUE(verified.has_value()) << verified.error().detail.view();
  EXPECT_EQ(verified->get(), golden::TheManifest());
  EXPECT_EQ(verified->digest(), HexTo<Digest>(golden::kManifestDigest));
}

TEST(Golden, ThePermitVerifiesAndSaysWhatWasSigned) {
  const auto verified = VerifyPermit(Hex(golden::kPermit), golden::TheKeys());
  ASSERT_TRUE(verified.has_value()) << verified.error().detail.view();
  const Permit expected = golden::ThePermit();
  EXPECT_EQ(verified->get().device, expected.device);
  EXPECT_EQ(verified->get().job, expected.job);
  EXPECT_EQ(verified->get().manifest_digest, expected.manifest_digest);
  EXPECT_EQ(verified->get().nonce, expected.nonce);
  EXPECT_EQ(verified->get().use_within_s, expected.use_within_s);
}

}  // namespace
}  // namespace pawl
