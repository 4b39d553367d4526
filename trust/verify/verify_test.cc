#include "trust/verify/verify.h"

#include <gtest/gtest.h>

#include "trust/manifest/cbor.h"
#include "trust/verify/golden.h"
#include "trust/verify/test_signer.h"

namespace pawl {
namespace {

using golden::Hex;
using golden::HexTo;
using test::TestKey;
using Bytes = std::vector<std::uint8_t>;

const TestKey kImage("image 1");
const TestKey kSecondImage("image 2");
const TestKey kDirector("director 1");
const TestKey kStranger("stranger");

KeyTable Keys() {
  KeyTable table;
  table.keys.push_back(kImage.Entry(Role::kImage));
  table.keys.push_back(kSecondImage.Entry(Role::kImage));
  table.keys.push_back(kDirector.Entry(Role::kDirector));
  return table;
}

Reason ReasonOf(const auto& result) { return result ? Reason::kNone : result.error().reason; }
std::string Explain(const auto& result) { return result ? "" : std::string(result.error().detail.view()); }

// --- Golden bytes ---

TEST(Golden, TheEncoderWritesTheEnvelopeByteByByte) {
  const Bytes manifest = test::Encode(golden::TheManifest());
  const SignatureBlock block{.kid = HexTo<KeyId>(golden::kImageKid), .signature = HexTo<Signature>(golden::kSignature)};
  std::array<std::uint8_t, 1024> envelope{};
  const auto size = EncodeEnvelope(manifest, HexTo<Digest>(golden::kManifestDigest), {&block, 1}, envelope);
  ASSERT_EQ(size.value(), 411U);
  EXPECT_TRUE(Equal(ByteView(envelope).first(*size), Hex(golden::kEnvelope)));
}

TEST(Golden, TheEnvelopeVerifiesAndSaysWhatWasSigned) {
  const auto verified = Verify(Hex(golden::kEnvelope), golden::TheKeys());
  ASSERT_TRUE(verified.has_value()) << Explain(verified);
  EXPECT_EQ(verified->get(), golden::TheManifest());
  EXPECT_EQ(verified->digest(), HexTo<Digest>(golden::kManifestDigest));
}

TEST(Golden, WhatIsSignedAreTheseBytes) {
  const Digest digest = HexTo<Digest>(golden::kManifestDigest);
  EXPECT_EQ(test::ManifestDigest(test::Encode(golden::TheManifest())), digest);
  std::array<std::uint8_t, 128> structure{};
  const std::size_t size = WriteSigStructure(HexTo<KeyId>(golden::kImageKid), {}, EncodeSuitDigest(digest), structure);
  EXPECT_TRUE(Equal(ByteView(structure).first(size), Hex(golden::kSigStructure)));
}

TEST(Golden, TheImageHasTheDigestOfTheManifest) {
  EXPECT_EQ(crypto::Hash(golden::Image()), golden::TheManifest().image_digest);
}

TEST(Golden, ThePermitIsWrittenByteByByte) {
  std::array<std::uint8_t, 256> payload{};
  const auto payload_bytes = EncodePermit(golden::ThePermit(), payload);
  ASSERT_TRUE(payload_bytes.has_value()) << Explain(payload_bytes);
  const Bytes expected = Hex(golden::kPermit);
  SignatureBlock block{.kid = HexTo<KeyId>(golden::kDirectorKid)};
  std::ranges::copy(ByteView(expected).last(64), block.signature.begin());
  std::array<std::uint8_t, 256> permit{};
  const auto size = EncodePermitEnvelope(ByteView(payload).first(*payload_bytes), block, permit);
  ASSERT_EQ(size.value(), 154U);
  EXPECT_TRUE(Equal(ByteView(permit).first(*size), expected));
}

TEST(Golden, ThePermitVerifiesAndSaysWhatWasSigned) {
  const auto verified = VerifyPermit(Hex(golden::kPermit), golden::TheKeys());
  ASSERT_TRUE(verified.has_value()) << Explain(verified);
  EXPECT_EQ(verified->get(), golden::ThePermit());
}

TEST(Golden, EverySingleBitFlipOfTheEnvelopeIsRefused) {
  Bytes envelope = Hex(golden::kEnvelope);
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < 8 * envelope.size(); ++bit) {
    const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
    envelope[bit / 8] ^= mask;
    refused += Verify(envelope, golden::TheKeys()).has_value() ? 0 : 1;
    envelope[bit / 8] ^= mask;
  }
  EXPECT_EQ(refused, 3288U);
  EXPECT_TRUE(Verify(envelope, golden::TheKeys()).has_value());
}

TEST(Golden, EveryTruncationAndEveryAddedByteOfTheEnvelopeIsRefused) {
  Bytes envelope = Hex(golden::kEnvelope);
  for (std::size_t size = 0; size < envelope.size(); ++size) {
    const Bytes part(envelope.begin(), envelope.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(Verify(part, golden::TheKeys()).has_value()) << size;
  }
  for (int byte = 0; byte < 256; ++byte) {
    Bytes longer = envelope;
    longer.push_back(static_cast<std::uint8_t>(byte));
    EXPECT_FALSE(Verify(longer, golden::TheKeys()).has_value()) << byte;
  }
}

TEST(Golden, EverySingleBitFlipAndTruncationOfThePermitIsRefused) {
  Bytes permit = Hex(golden::kPermit);
  for (std::size_t bit = 0; bit < 8 * permit.size(); ++bit) {
    const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
    permit[bit / 8] ^= mask;
    EXPECT_EQ(ReasonOf(VerifyPermit(permit, golden::TheKeys())), Reason::kPermitSignature) << bit;
    permit[bit / 8] ^= mask;
  }
  for (std::size_t size = 0; size < permit.size(); ++size) {
    EXPECT_FALSE(VerifyPermit(ByteView(permit).first(size), golden::TheKeys()).has_value()) << size;
  }
}

// --- Envelopes built piece by piece: a genuine one, and then one piece wrong ---

void Append(Bytes& to, ByteView bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

Bytes Head(cbor::Major major, std::uint64_t value) {
  std::array<std::uint8_t, 9> head{};
  const std::size_t size = cbor::WriteHead(major, value, head);
  return {head.begin(), head.begin() + static_cast<std::ptrdiff_t>(size)};
}

Bytes Join(const std::vector<Bytes>& pieces) {
  Bytes all;
  for (const Bytes& piece : pieces) Append(all, piece);
  return all;
}

Bytes Bstr(const Bytes& content) { return Join({Head(cbor::Major::kBytes, content.size()), content}); }

struct Pieces {
  Bytes manifest = test::Encode(golden::TheManifest());
  const TestKey* signer = &kImage;
  Bytes cose_tag = {0xd2};
  Bytes protected_header;  // with its bstr header
  Bytes unprotected = {0xa0};
  Bytes payload = {0xf6};
  Bytes signature;  // with its bstr header
  Bytes before_blocks = {};
  int copies = 1;  // of the one signature block

  Pieces() { Sign(); }
  Bytes SuitDigestBytes() const {
    const SuitDigest digest = EncodeSuitDigest(test::ManifestDigest(manifest));
    return {digest.begin(), digest.end()};
  }
  // Signs what the pieces say now: so that only the form can be wrong.
  void Sign() {
    if (protected_header.empty()) {
      protected_header = Bstr(Join({Hex("a2012804"), Bstr({signer->kid().begin(), signer->kid().end()})}));
    }
    const Bytes structure = Join({Hex("846a5369676e617475726531"), protected_header, {0x40}, Bstr(SuitDigestBytes())});
    const Signature made = signer->Sign(structure);
    signature = Bstr({made.begin(), made.end()});
  }
  Bytes Block() const { return Join({cose_tag, {0x84}, protected_header, unprotected, payload, signature}); }
  Bytes Envelope() const {
    Bytes blocks;
    for (int i = 0; i < copies; ++i) Append(blocks, Bstr(Block()));
    const Bytes wrapper =
        Join({Head(cbor::Major::kArray, 1U + static_cast<unsigned>(copies)), Bstr(SuitDigestBytes()), blocks});
    return Join({Hex("d86ba202"), Bstr(wrapper), {0x03}, Bstr(manifest)});
  }
};

Reason Judge(const Pieces& pieces) { return ReasonOf(Verify(pieces.Envelope(), Keys())); }

Bytes Replace(Bytes bytes, std::string_view from_hex, std::string_view to_hex) {
  const Bytes from = Hex(from_hex);
  const auto found = std::ranges::search(bytes, from);
  EXPECT_FALSE(found.empty()) << from_hex;
  const Bytes to = Hex(to_hex);
  const auto at = bytes.erase(found.begin(), found.end());
  bytes.insert(at, to.begin(), to.end());
  return bytes;
}

// A manifest with a wrong piece, but signed by the right key: only rules R1 and R4 stand in its way.
Reason JudgeSigned(const Bytes& manifest) { return ReasonOf(Verify(test::SignManifest(manifest, {&kImage}), Keys())); }

const Bytes kGoodManifest = test::Encode(golden::TheManifest());

TEST(Verify, TakesAnEnvelopeOfItsPieces) { EXPECT_EQ(Judge(Pieces()), Reason::kNone); }

TEST(Verify, R1_ALongHeadInTheSignedManifestIsRefused) {
  EXPECT_EQ(JudgeSigned(Replace(kGoodManifest, "010102070358", "01010218070358")), Reason::kMalformedManifest);
  EXPECT_EQ(JudgeSigned(Replace(kGoodManifest, "0358", "035900")), Reason::kMalformedManifest);
}

TEST(Verify, R1_IndefiniteLengthsAreRefused) {
  Bytes indefinite = Replace(kGoodManifest, "a701", "bf01");
  indefinite.push_back(0xff);
  EXPECT_EQ(JudgeSigned(indefinite), Reason::kMalformedManifest);
}

TEST(Verify, R1_UnsortedOrRepeatedKeysAreRefused) {
  EXPECT_EQ(JudgeSigned(Replace(kGoodManifest, "01010207", "02070101")), Reason::kMalformedManifest);
  EXPECT_EQ(JudgeSigned(Replace(kGoodManifest, "a701010207", "a8010102070207")), Reason::kMalformedManifest);
}

TEST(Verify, R1_FloatsAreRefused) {
  EXPECT_EQ(JudgeSigned(Replace(kGoodManifest, "01010207", "010102f94700")), Reason::kMalformedManifest);
}

TEST(Verify, R1_TrailingBytesAreRefusedInTheSignedManifestToo) {
  Bytes longer = kGoodManifest;
  longer.push_back(0);
  EXPECT_EQ(JudgeSigned(longer), Reason::kMalformedManifest);
}

TEST(Verify, R1_AnEnvelopeOver8KibIsRefusedUnread) {
  Bytes envelope = Hex(golden::kEnvelope);
  envelope.resize(kMaxEnvelopeBytes + 1);
  const auto verified = Verify(envelope, golden::TheKeys());
  EXPECT_EQ(Explain(verified), "envelope: over 8192 bytes (R1)");
}

TEST(Verify, R1_NoneOrMoreThanFourSignaturesAreRefused) {
  Pieces pieces;
  for (const int copies : {0, 5, 23}) {
    pieces.copies = copies;
    const auto verified = Verify(pieces.Envelope(), Keys());
    EXPECT_EQ(Explain(verified).substr(0, 45), "envelope: not 1 to 4 signatures (R1) at byte ") << copies;
  }
}

TEST(Verify, R2_TheCoseTagIsEighteen) {
  Pieces pieces;
  for (const char* tag : {"", "d1", "d3", "d8d2", "d903e6", "d862", "d81200"}) {
    pieces.cose_tag = Hex(tag);
    EXPECT_EQ(Judge(pieces), Reason::kMalformedManifest) << tag;
  }
}

TEST(Verify, R2_ThePayloadIsNull) {
  Pieces pieces;
  for (const Bytes& payload : {Bytes{0x40}, Bytes{0xf7}, Bytes{0xa0}, Bstr(pieces.SuitDigestBytes())}) {
    pieces.payload = payload;
    EXPECT_EQ(Judge(pieces), Reason::kMalformedManifest);
  }
}

TEST(Verify, R2_TheProtectedHeaderIsExactlyAlgorithmAndKidEvenIfSigned) {
  std::array<char, 16> hex{};
  const std::string kid = "48" + std::string(HexEncode(kImage.kid(), hex));
  const std::vector<std::string> headers = {
      "",                         // nothing
      "a0",                       // an empty map
      "a10128",                   // no kid
      "a104" + kid,               // no algorithm
      "a201380404" + kid,         // -5
      "a20139ff0004" + kid,       // another algorithm
      "a201380804" + kid,         // -9, but not in the shortest form
      "a204" + kid + "0128",      // in another order
      "a30128028004" + kid,       // with crit
      "a3012804" + kid + "0540",  // with an IV
      "a2012804" + kid + "00",    // with a byte behind it
  };
  for (const std::string& header : headers) {
    Pieces pieces;
    pieces.protected_header = Bstr(Hex(header));
    pieces.Sign();
    EXPECT_EQ(Judge(pieces), Reason::kMalformedManifest) << header;
  }
}

TEST(Verify, R2_TheAlgorithmOfTheDraftsExamplesIsRefused) {
  Pieces pieces;
  pieces.protected_header = Bstr(Join({Hex("a2012604"), Bstr({kImage.kid().begin(), kImage.kid().end()})}));
  pieces.Sign();
  EXPECT_EQ(Judge(pieces), Reason::kMalformedManifest);
}

TEST(Verify, R2_TheUnprotectedHeaderIsEmpty) {
  Pieces pieces;
  for (const char* header : {"a10126", "a104480001020304050607", "a120f6", "80", "f6", "b80000", "bfff"}) {
    pieces.unprotected = Hex(header);
    EXPECT_EQ(Judge(pieces), Reason::kMalformedManifest) << header;
  }
}

TEST(Verify, R2_TheSignatureHasSixtyFourBytes) {
  for (const std::size_t size : {0U, 63U, 65U, 70U, 72U}) {
    Pieces pieces;
    Bytes raw(pieces.signature.begin() + 2, pieces.signature.end());
    raw.resize(size);
    pieces.signature = Bstr(raw);
    EXPECT_EQ(Judge(pieces), Reason::kMalformedManifest) << size;
  }
}

TEST(Verify, R2_DerInPlaceOfRAndSIsRefused) {
  Pieces pieces;
  const Bytes raw(pieces.signature.begin() + 2, pieces.signature.end());
  Bytes der = Hex("30440220");
  der.insert(der.end(), raw.begin(), raw.begin() + 32);
  Append(der, Hex("0220"));
  der.insert(der.end(), raw.begin() + 32, raw.end());
  pieces.signature = Bstr(der);
  EXPECT_EQ(Judge(pieces), Reason::kMalformedManifest);
}

TEST(Verify, R2_RAndSLieBetweenOneAndOrderMinusOne) {
  const Bytes zero(32);
  const Bytes order = Hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
  const Bytes ones(32, 0xff);
  const Pieces good;
  const Bytes r(good.signature.begin() + 2, good.signature.begin() + 34);
  const Bytes s(good.signature.begin() + 34, good.signature.end());
  for (const Bytes& bad : {zero, order, ones}) {
    for (const Bytes& signature : {Join({bad, s}), Join({r, bad}), Join({bad, bad})}) {
      Pieces pieces;
      pieces.signature = Bstr(signature);
      EXPECT_EQ(Judge(pieces), Reason::kInvalidSignature);
    }
  }
}

TEST(Verify, R2_EveryBlockPresentMustVerify) {
  EXPECT_TRUE(Verify(test::SignManifest(kGoodManifest, {&kImage, &kSecondImage}), Keys()).has_value());
  EXPECT_TRUE(Verify(test::SignManifest(kGoodManifest, {&kSecondImage, &kImage}), Keys()).has_value());
  for (const std::size_t broken : {0U, 1U}) {
    std::vector<SignatureBlock> blocks;
    const Digest digest = test::ManifestDigest(kGoodManifest);
    for (const TestKey* key : {&kImage, &kSecondImage}) blocks.push_back(key->SignBlock(EncodeSuitDigest(digest)));
    blocks[broken].signature[40] ^= 1;
    Bytes envelope(kMaxEnvelopeBytes);
    envelope.resize(EncodeEnvelope(kGoodManifest, digest, blocks, envelope).value());
    EXPECT_EQ(ReasonOf(Verify(envelope, Keys())), Reason::kInvalidSignature) << broken;
  }
}

TEST(Verify, R2_TwoSignaturesOfOneKeyAreRefused) {
  Pieces pieces;
  pieces.copies = 2;
  const auto verified = Verify(pieces.Envelope(), Keys());
  EXPECT_EQ(Explain(verified), "envelope: two signatures of one key (R2)");
}

TEST(Verify, R2_AnUnknownKeyIsRefusedAloneAndBesideAGoodOne) {
  EXPECT_EQ(ReasonOf(Verify(test::SignManifest(kGoodManifest, {&kStranger}), Keys())), Reason::kUnknownKey);
  EXPECT_EQ(ReasonOf(Verify(test::SignManifest(kGoodManifest, {&kImage, &kStranger}), Keys())), Reason::kUnknownKey);
  EXPECT_EQ(ReasonOf(Verify(test::SignManifest(kGoodManifest, {&kStranger, &kImage}), Keys())), Reason::kUnknownKey);
}

TEST(Verify, R2_AKeyOfAnotherRoleIsRefused) {
  EXPECT_EQ(ReasonOf(Verify(test::SignManifest(kGoodManifest, {&kDirector}), Keys())), Reason::kWrongKeyRole);
  EXPECT_EQ(ReasonOf(Verify(test::SignManifest(kGoodManifest, {&kImage, &kDirector}), Keys())), Reason::kWrongKeyRole);
}

TEST(Verify, R2_ASignatureOfAnotherKeyUnderAKnownKidIsRefused) {
  const Digest digest = test::ManifestDigest(kGoodManifest);
  SignatureBlock forged = kImage.SignBlock(EncodeSuitDigest(digest));
  std::array<std::uint8_t, 256> structure{};
  const std::size_t size = WriteSigStructure(kImage.kid(), {}, EncodeSuitDigest(digest), structure);
  forged.signature = kStranger.Sign(ByteView(structure).first(size));
  Bytes envelope(kMaxEnvelopeBytes);
  envelope.resize(EncodeEnvelope(kGoodManifest, digest, {&forged, 1}, envelope).value());
  EXPECT_EQ(ReasonOf(Verify(envelope, Keys())), Reason::kInvalidSignature);
}

TEST(Verify, AKeyThatIsRevokedOrBoundToAnotherAlgorithmIsRefused) {
  const Bytes envelope = test::SignManifest(kGoodManifest, {&kImage});
  KeyTable revoked = Keys();
  revoked.revoked.push_back(kImage.kid());
  EXPECT_EQ(ReasonOf(Verify(envelope, revoked)), Reason::kUnknownKey);
  KeyTable other = Keys();
  other.keys[0].algorithm = -7;
  EXPECT_EQ(ReasonOf(Verify(envelope, other)), Reason::kInvalidSignature);
}

TEST(Verify, AsManySignaturesAsTheThresholdAreNeeded) {
  KeyTable two = Keys();
  two.thresholds[1] = 2;
  EXPECT_EQ(ReasonOf(Verify(test::SignManifest(kGoodManifest, {&kImage}), two)), Reason::kInvalidSignature);
  EXPECT_EQ(ReasonOf(Verify(test::SignManifest(kGoodManifest, {&kImage, &kSecondImage}), two)), Reason::kNone);
}

TEST(Verify, R3_AnotherManifestUnderASignedDigestIsRefused) {
  Manifest other = golden::TheManifest();
  other.sequence = 8;
  const Digest digest = test::ManifestDigest(kGoodManifest);
  const SignatureBlock block = kImage.SignBlock(EncodeSuitDigest(digest));
  Bytes envelope(kMaxEnvelopeBytes);
  envelope.resize(EncodeEnvelope(test::Encode(other), digest, {&block, 1}, envelope).value());
  EXPECT_EQ(ReasonOf(Verify(envelope, Keys())), Reason::kDigestMismatch);
}

TEST(Verify, R3_NothingOfTheManifestIsReadBeforeItsSignatureHolds) {
  const Bytes garbage(100, 0xff);
  EXPECT_EQ(ReasonOf(Verify(test::SignManifest(garbage, {&kStranger}), Keys())), Reason::kUnknownKey);
  EXPECT_EQ(ReasonOf(Verify(test::SignManifest(garbage, {&kImage}), Keys())), Reason::kMalformedManifest);
}

TEST(Verify, R4_WhatTheTemplateDoesNotHaveIsRefusedEvenIfSigned) {
  struct Row {
    const char* what;
    const char* from;
    const char* to;
  };
  const Row rows[] = {
      {"manifest version 2", "a70101", "a70102"},
      {"an unknown member", "a70101", "a8010104f6"},
      {"another component", "02818141000458588614", "02818141010458588614"},
      {"two components", "035861a2028181410004", "035864a2028281410081410104"},
      {"another directive", "58588614a401", "58588613a401"},
      {"another reporting policy of vendor", "0249f0010f020f", "0249f0010e020f"},
      {"conditions in another order", "010f020f06", "020f010f06"},
      {"an algorithm that is not SHA-256", "035824822f58", "035824823058"},
      {"a fetch in the place of invoke", "170214587e", "150214587e"},
      {"a place in the place of a name", "6e693a2f2f2f", "687474703a2f"},
      {"chunks of another size", "832f1058", "832f1158"},
      {"another format number", "49f0020003832f", "49f0020303832f"},
      {"a raw payload of another size than the image", "a3011a000249f0", "a3011a000249f1"},
      {"a version of two parts", "448302010007", "4382020107"},
      {"a version with an unknown stage", "448302010007", "45840201002307"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(JudgeSigned(Replace(kGoodManifest, row.from, row.to)), Reason::kMalformedManifest) << row.what;
  }
}

TEST(Verify, R4_AMemberBesideTheTwoOfTheEnvelopeIsRefused) {
  Bytes envelope = Replace(Pieces().Envelope(), "d86ba202", "d86ba302");
  Append(envelope, Hex("1440"));
  EXPECT_EQ(ReasonOf(Verify(envelope, Keys())), Reason::kMalformedManifest);
}

// --- Permits ---

Bytes SignPermit(const TestKey& key, std::string_view aad = kPermitAad) {
  Bytes payload(kMaxPermitBytes);
  payload.resize(EncodePermit(golden::ThePermit(), payload).value());
  Bytes permit(kMaxPermitBytes);
  permit.resize(EncodePermitEnvelope(payload, key.SignBlock(payload, aad), permit).value());
  return permit;
}

TEST(VerifyPermit, OnlyADirectorKeyMaySign) {
  EXPECT_EQ(ReasonOf(VerifyPermit(SignPermit(kDirector), Keys())), Reason::kNone);
  const auto unknown = VerifyPermit(SignPermit(kStranger), Keys());
  EXPECT_EQ(ReasonOf(unknown), Reason::kPermitSignature);
  EXPECT_TRUE(Explain(unknown).starts_with(Text(Reason::kUnknownKey))) << Explain(unknown);
  const auto role = VerifyPermit(SignPermit(kImage), Keys());
  EXPECT_EQ(ReasonOf(role), Reason::kPermitSignature);
  EXPECT_TRUE(Explain(role).starts_with(Text(Reason::kWrongKeyRole))) << Explain(role);
}

TEST(VerifyPermit, ASignatureMadeForSomethingElseIsRefused) {
  EXPECT_EQ(ReasonOf(VerifyPermit(SignPermit(kDirector, ""), Keys())), Reason::kPermitSignature);
  EXPECT_EQ(ReasonOf(VerifyPermit(SignPermit(kDirector, "pawl-permit-2"), Keys())), Reason::kPermitSignature);
}

TEST(VerifyPermit, AManifestIsNoPermitAndAPermitNoManifest) {
  EXPECT_EQ(ReasonOf(VerifyPermit(Hex(golden::kEnvelope), golden::TheKeys())), Reason::kPermitSignature);
  EXPECT_EQ(ReasonOf(Verify(Hex(golden::kPermit), golden::TheKeys())), Reason::kMalformedManifest);
}

TEST(Permit, ValuesOutsideTheirLimitsAreNeitherWrittenNorRead) {
  const auto judge = [](auto change) {
    Permit permit = golden::ThePermit();
    change(permit);
    std::array<std::uint8_t, 256> bytes{};
    return ReasonOf(EncodePermit(permit, bytes));
  };
  EXPECT_EQ(judge([](Permit&) {}), Reason::kNone);
  EXPECT_EQ(judge([](Permit& p) { p.use_within_s = 600; }), Reason::kNone);
  EXPECT_EQ(judge([](Permit& p) { p.use_within_s = 601; }), Reason::kInvalidArgument);
  EXPECT_EQ(judge([](Permit& p) { p.use_within_s = 0; }), Reason::kInvalidArgument);
  EXPECT_EQ(judge([](Permit& p) { p.job = std::uint64_t{1} << 53; }), Reason::kInvalidArgument);
  for (const char* device : {"", "Dev", "-dev", ".dev", "dev/1", "dev 1", "d\xc3\xa9v"}) {
    EXPECT_EQ(judge([&](Permit& p) { p.device = device; }), Reason::kInvalidArgument) << device;
  }
  EXPECT_EQ(judge([](Permit& p) { p.device = std::string_view(std::string(63, 'a')); }), Reason::kNone);
}

// --- Bootable, installable ---

Target TheTarget() {
  const Manifest manifest = golden::TheManifest();
  return {.vendor = manifest.vendor,
          .cls = manifest.cls,
          .board_revision = 2,
          .security_floor = 3,
          .slot_bytes = 150'000 + 8192};
}

VerifiedManifest Genuine(const Manifest& manifest) {
  return Verify(test::SignManifest(test::Encode(manifest), {&kImage}), Keys()).value();
}

Reason BootableIf(auto change_target, auto change_manifest) {
  Manifest manifest = golden::TheManifest();
  Target target = TheTarget();
  change_manifest(manifest);
  change_target(target);
  return ReasonOf(CheckBootable(Genuine(manifest), target));
}
Reason BootableOn(auto change_target) {
  return BootableIf(change_target, [](Manifest&) {});
}

TEST(CheckBootable, HoldsAtEachLimitAndFailsOneBeyondIt) {
  EXPECT_EQ(BootableOn([](Target&) {}), Reason::kNone);
  EXPECT_EQ(BootableOn([](Target& t) { t.vendor[3] ^= 1; }), Reason::kWrongVendor);
  EXPECT_EQ(BootableOn([](Target& t) { t.cls[15] ^= 1; }), Reason::kWrongClass);
  EXPECT_EQ(BootableOn([](Target& t) { t.board_revision = 1; }), Reason::kWrongBoard);
  EXPECT_EQ(BootableOn([](Target& t) { t.board_revision = 9; }), Reason::kNone);
  EXPECT_EQ(BootableOn([](Target& t) { t.security_floor = 4; }), Reason::kSecurityVersion);
  EXPECT_EQ(BootableOn([](Target& t) { t.security_floor = 0; }), Reason::kNone);
  EXPECT_EQ(BootableOn([](Target& t) { t.slot_bytes -= 1; }), Reason::kImageTooLarge);
  EXPECT_EQ(BootableOn([](Target& t) { t.slot_bytes = 8191; }), Reason::kImageTooLarge);
  EXPECT_EQ(BootableOn([](Target& t) { t.slot_bytes = 0; }), Reason::kImageTooLarge);
}

TEST(CheckBootable, AnImageOfOneSlotBootsOnlyThere) {
  const auto in_slot_one = [](Manifest& manifest) { manifest.slot = 1; };
  EXPECT_EQ(BootableIf([](Target& t) { t.slot = 1; }, in_slot_one), Reason::kNone);
  EXPECT_EQ(BootableIf([](Target& t) { t.slot = 0; }, in_slot_one), Reason::kWrongSlot);
  EXPECT_EQ(BootableIf([](Target&) {}, in_slot_one), Reason::kWrongSlot) << "nobody said which slot: fail closed";
  EXPECT_EQ(BootableOn([](Target& t) { t.slot = 0; }), Reason::kNone) << "an image that runs anywhere";
}

TEST(CheckBootable, AnExpiredReleaseStillBoots) {
  Manifest manifest = golden::TheManifest();
  manifest.use_before = 1;
  EXPECT_TRUE(CheckBootable(Genuine(manifest), TheTarget()).has_value());
}

Reason InstallableIf(auto change_manifest, std::uint64_t now_s = 1'700'000'000) {
  Manifest manifest = golden::TheManifest();
  change_manifest(manifest);
  const Running running{.sequence = 7, .version = {.major = 2, .minor = 0, .patch = 5}, .image_digest = {1, 2, 3}};
  const auto bootable = CheckBootable(Genuine(manifest), TheTarget());
  return ReasonOf(CheckInstallable(bootable.value(), running, now_s));
}
void Newer(Manifest& manifest) { manifest.sequence = 8; }

TEST(CheckInstallable, TakesOnlyAHigherSequenceNumber) {
  EXPECT_EQ(InstallableIf(Newer), Reason::kNone);
  EXPECT_EQ(InstallableIf([](Manifest&) {}), Reason::kDowngrade) << "equal, but another image";
  EXPECT_EQ(InstallableIf([](Manifest& m) { m.sequence = 6; }), Reason::kDowngrade);
  EXPECT_EQ(InstallableIf([](Manifest& m) { m.sequence = 0; }), Reason::kDowngrade);
  const auto same_image = [](Manifest& m) { m.image_digest = m.payload_digest = Digest{1, 2, 3}; };
  EXPECT_EQ(InstallableIf(same_image), Reason::kAlreadyRunning);
  EXPECT_EQ(InstallableIf([&](Manifest& m) {
              same_image(m);
              m.sequence = 6;
            }),
            Reason::kDowngrade);
}

TEST(CheckInstallable, TheReleaseExpiresAtItsUseBefore) {
  EXPECT_EQ(InstallableIf(Newer, 1798761599), Reason::kNone);
  EXPECT_EQ(InstallableIf(Newer, 1798761600), Reason::kExpired);
  const auto without = [](Manifest& m) {
    m.sequence = 8;
    m.use_before.reset();
  };
  EXPECT_EQ(InstallableIf(without, ~std::uint64_t{0}), Reason::kNone);
}

TEST(CheckInstallable, AskedVersionsMustRun) {
  using enum VersionMatch::Comparison;
  const auto from = [](VersionMatch::Comparison comparison, std::uint32_t patch) {
    return [=](Manifest& m) {
      m.sequence = 8;
      m.version_match = {comparison, {.major = 2, .minor = 0, .patch = patch}};
    };
  };
  EXPECT_EQ(InstallableIf(from(kEqual, 5)), Reason::kNone);
  EXPECT_EQ(InstallableIf(from(kEqual, 4)), Reason::kWrongVersion);
  EXPECT_EQ(InstallableIf(from(kGreaterEqual, 4)), Reason::kNone);
  EXPECT_EQ(InstallableIf(from(kLesser, 5)), Reason::kWrongVersion);
}

TEST(CheckInstallable, OnlyRawPayloadsAreTakenToday) {
  EXPECT_EQ(InstallableIf([](Manifest& m) {
              m.sequence = 8;
              m.format = PayloadFormat::kZstd;
              m.payload_bytes = 9;
            }),
            Reason::kUnsupportedEncoding);
  EXPECT_EQ(InstallableIf([](Manifest& m) {
              m.sequence = 8;
              m.format = PayloadFormat::kDelta;
              m.precursor = Digest{1, 2, 3};
            }),
            Reason::kUnsupportedEncoding);
}

}  // namespace
}  // namespace pawl
