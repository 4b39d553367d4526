// The signature layer against material that others made: the examples of draft-ietf-suit-manifest-37 and the COSE
// working group's COSE_Sign1 examples. Both use alg -7 (ES256), which pawl refuses: so the product must refuse them,
// and this file's own lenient path, built on the same reader and the same crypto, must judge them as their makers say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "trust/manifest/cbor.h"
#include "trust/verify/golden.h"
#include "trust/verify/verify.h"

namespace pawl {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::filesystem::path Vectors() {
  const char* given = std::getenv("PAWL_VECTORS");
  return given != nullptr ? given : "../shared/vectors";
}

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

// The text between two marks, the first time; empty if there is none.
std::string Between(const std::string& text, const std::string& before, const std::string& after) {
  const std::size_t begin = text.find(before);
  if (begin == std::string::npos) return {};
  const std::size_t from = begin + before.size();
  return text.substr(from, text.find(after, from) - from);
}

Bytes LooseHex(const std::string& text) {
  std::string digits;
  for (const char c : text) {
    if (std::isxdigit(static_cast<unsigned char>(c)) != 0) digits += static_cast<char>(std::tolower(c));
  }
  return golden::Hex(digits);
}

Bytes Base64(std::string text) {
  std::erase_if(text, [](char c) { return c == '=' || c == '\n'; });
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  Bytes bytes(text.size());
  bytes.resize(Base64UrlDecode(text, bytes).value());
  return bytes;
}

struct Sign1 {
  ByteView payload;
  Signature signature{};
};

// 18([<< {1: -7} >>, any, payload or null, signature])
Sign1 ReadEs256(cbor::Reader& reader, bool detached) {
  Sign1 sign1;
  reader.Tag(18);
  reader.Array(4);
  const std::size_t outer = reader.Enter();
  reader.Map(1);
  reader.Expect(1);
  reader.Expect(-7);
  reader.Leave(outer);
  reader.AnyItem();
  if (detached) {
    reader.Null();
  } else {
    sign1.payload = reader.Bytes();
  }
  reader.Fixed(sign1.signature);
  return sign1;
}

bool HoldsEs256(const Sign1& sign1, ByteView payload, ByteView aad, const PublicKey& key) {
  Bytes structure(payload.size() + aad.size() + 64);
  cbor::Writer writer(structure);
  writer.Array(4);
  writer.Text("Signature1");
  writer.Bytes(golden::Hex("a10126"));
  writer.Bytes(aad);
  writer.Bytes(payload);
  const std::size_t size = writer.Finish().value();
  return crypto::VerifyP256(key, crypto::Hash(ByteView(structure).first(size)), sign1.signature);
}

TEST(SuitExamples, TheirDigestsAndSignaturesHoldAndTheProductRefusesTheirAlgorithm) {
  const auto folder = Vectors() / "suit-manifest-spec";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "SKIPPED: no vectors at " << folder << " (set PAWL_VECTORS)";
  const Bytes spki = Base64(Between(ReadAll(folder / "public_key.pem"), "KEY-----\n", "-----END"));
  ASSERT_EQ(spki.size(), 91U);
  PublicKey key{};
  std::ranges::copy(ByteView(spki).last(65), key.begin());

  for (int example = 0; example <= 5; ++example) {
    const std::string text = ReadAll(folder / ("example" + std::to_string(example) + ".txt"));
    const std::string rest = text.substr(text.find("Envelope with COSE authentication object:"));
    const Bytes envelope = LooseHex(Between(rest, "~~~\n", "~~~"));
    ASSERT_FALSE(envelope.empty()) << example;
    EXPECT_THAT(Verify(envelope, golden::TheKeys()).error().reason, Reason::kMalformedManifest) << example;

    cbor::Reader reader(envelope);
    reader.Tag(107);
    EXPECT_GE(reader.Map(), 2U);
    reader.Expect(2);
    const std::size_t wrapper = reader.Enter();
    reader.Array(2);
    const ByteView suit_digest = reader.Bytes();
    const std::size_t block = reader.Enter();
    Sign1 sign1 = ReadEs256(reader, true);
    reader.Leave(block);
    reader.Leave(wrapper);
    reader.Expect(3);
    const std::size_t begin = reader.offset();
    reader.Bytes();
    ASSERT_TRUE(reader.ok()) << example;
    const ByteView manifest_bstr = ByteView(envelope).subspan(begin, reader.offset() - begin);

    EXPECT_TRUE(HoldsEs256(sign1, suit_digest, {}, key)) << example;
    const SuitDigest ours = EncodeSuitDigest(crypto::Hash(manifest_bstr));
    EXPECT_TRUE(Equal(suit_digest, ours)) << example << ": the digest covers the bstr with its header";
    sign1.signature[10] ^= 1;
    EXPECT_FALSE(HoldsEs256(sign1, suit_digest, {}, key)) << example;
  }
}

TEST(CoseExamples, NoneThatMustFailIsAcceptedAndThePermitsReaderTakesNone) {
  const auto folder = Vectors() / "cose-examples" / "sign1-tests";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "SKIPPED: no vectors at " << folder << " (set PAWL_VECTORS)";
  std::size_t failing = 0;
  std::vector<std::string> accepted;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string text = ReadAll(entry.path());
    const Bytes coded = LooseHex(Between(text, "\"cbor\":\"", "\""));
    const Bytes aad = LooseHex(Between(text, "\"external\":\"", "\""));
    const Bytes x = Base64(Between(text, "\"x\":\"", "\""));
    const Bytes y = Base64(Between(text, "\"y\":\"", "\""));
    ASSERT_EQ(x.size() + y.size(), 64U) << entry.path();
    PublicKey key{4};
    std::ranges::copy(y, std::ranges::copy(x, key.begin() + 1).out);

    EXPECT_FALSE(DecodePermitEnvelope(coded).has_value()) << entry.path();
    const std::string name = entry.path().stem();
    failing += name.starts_with("sign-fail") ? 1 : 0;
    cbor::Reader reader(coded);
    const Sign1 sign1 = ReadEs256(reader, false);
    if (reader.ok() && reader.at_end() && HoldsEs256(sign1, sign1.payload, aad, key)) accepted.push_back(name);
  }
  EXPECT_EQ(failing, 6U);
  EXPECT_THAT(accepted, testing::ElementsAre("sign-pass-02")) << "01 has no algorithm protected, 03 no tag";
}

}  // namespace
}  // namespace pawl
