// The signature layer against material that others made: the examples of draft-ietf-suit-manifest-37 and the COSE
// working group's COSE_Sign1 examples. Both use alg -7 (ES256), which pawl refuses: so the product must refuse them,
// and this file's own lenient path, built on the same reader and the same crypto, must judge them as their makers say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "trust/manifest/template.h"
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

using cbor::Major;
using templates::Reader;

// A bstr's content.
ByteView Bstr(Reader& reader) {
  const std::uint8_t* end = reader.Enter(Major::kBytes);
  const ByteView content = reader.Rest();
  reader.Leave(end);
  return content;
}

// 18([<< {1: -7} >>, {?4: kid}, payload or null, signature])
Sign1 ReadEs256(Reader& reader, bool detached) {
  constexpr auto kBegin = templates::Template(0xd2, 0x84, 0x43, 0xa1, 1, 0x26);
  constexpr auto kSignature = templates::Template(0x58, 0x40, templates::Raw(templates::At(0), 64));
  Sign1 sign1;
  reader.Read(kBegin, sign1);
  if (reader.Count(Major::kMap, 0, 1, "an unprotected header of more than a kid") == 1) {
    reader.Expect(4);
    Bstr(reader);
  }
  if (detached) {
    reader.Expect(0xf6);
  } else {
    sign1.payload = Bstr(reader);
  }
  reader.Read(kSignature, sign1.signature);
  return sign1;
}

bool HoldsEs256(const Sign1& sign1, ByteView payload, ByteView aad, const PublicKey& key) {
  Bytes structure(payload.size() + aad.size() + 64);
  templates::Writer writer(structure);
  writer.Raw(golden::Hex("846a5369676e61747572653143a10126"));
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

    Reader reader(envelope);
    reader.Expect(0xd8);
    reader.Expect(107);
    EXPECT_GE(reader.Count(Major::kMap, 2, 9, "fewer than two members"), 2U);
    reader.Expect(2);
    const std::uint8_t* wrapper = reader.Enter(Major::kBytes);
    reader.Expect(0x82);
    const ByteView suit_digest = Bstr(reader);
    const std::uint8_t* block = reader.Enter(Major::kBytes);
    Sign1 sign1 = ReadEs256(reader, true);
    reader.Leave(block);
    reader.Leave(wrapper);
    reader.Expect(3);
    const std::uint8_t* begin = reader.at();
    Bstr(reader);
    ASSERT_TRUE(reader.ok()) << example;
    const ByteView manifest_bstr = reader.Since(begin);

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
    Reader reader(coded);
    const Sign1 sign1 = ReadEs256(reader, false);
    if (reader.ok() && reader.at_end() && HoldsEs256(sign1, sign1.payload, aad, key)) accepted.push_back(name);
  }
  EXPECT_EQ(failing, 6U);
  EXPECT_THAT(accepted, testing::ElementsAre("sign-pass-02")) << "01 has no algorithm protected, 03 no tag";
}

}  // namespace
}  // namespace pawl
