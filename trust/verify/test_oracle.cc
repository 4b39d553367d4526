// Answers lines of questions about the codecs and checks, for oracle_test.py, which has its own opinion on each.
//
//   cbor HEX | decode HEX | encode FIELD=VALUE... | anchors HEX | rom HEX | p256 KEY DIGEST SIGNATURE
//   verify ANCHORS ENVELOPE | permit ANCHORS PERMIT
// Answer: "ok [what]" or "refused REASON: DETAIL".
#include <charconv>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/text.h"
#include "trust/crypto/crypto.h"
#include "trust/manifest/cbor.h"
#include "trust/verify/verify.h"

namespace pawl {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Fields = std::map<std::string, std::string>;

Bytes Hex(std::string_view hex) {
  Bytes bytes(hex.size() / 2);
  PAWL_ASSERT(HexDecode(hex, bytes).has_value());
  return bytes;
}
template <class T>
T HexTo(std::string_view hex) {
  T bytes{};
  PAWL_ASSERT(HexDecode(hex, bytes).has_value());
  return bytes;
}
std::string ToHex(ByteView bytes) {
  std::string hex(2 * bytes.size(), ' ');
  HexEncode(bytes, hex);
  return hex;
}
std::uint64_t Number(const std::string& text) {
  std::uint64_t value = 0;
  PAWL_ASSERT(std::from_chars(text.data(), text.data() + text.size(), value).ptr == text.data() + text.size());
  return value;
}

std::string Refused(const Error& error) {
  return "refused " + std::string(Text(error.reason)) + ": " + std::string(error.detail.view());
}
// The value, written again, as hex.
template <class T>
std::string Again(const Result<T>& value, Result<std::size_t> (*encode)(const T&, MutableBytes)) {
  if (!value) return Refused(value.error());
  Bytes bytes(kMaxEnvelopeBytes);
  bytes.resize(encode(*value, bytes).value());
  return "ok " + ToHex(bytes);
}

Manifest FromFields(const Fields& fields) {
  const auto digest = [&](const char* name) { return HexTo<Digest>(fields.at(name)); };
  const auto optional = [&](const char* name) {
    return fields.contains(name) ? std::optional(digest(name)) : std::nullopt;
  };
  Manifest m;
  m.sequence = Number(fields.at("sequence"));
  m.version = ParseVersion(fields.at("version")).value();
  m.vendor = HexTo<Uuid>(fields.at("vendor"));
  m.cls = HexTo<Uuid>(fields.at("class"));
  m.image_digest = digest("image");
  m.image_bytes = Number(fields.at("image_bytes"));
  if (fields.contains("slot")) m.slot = Number(fields.at("slot"));
  m.security_version = Number(fields.at("security_version"));
  m.min_board_revision = Number(fields.at("board_revision"));
  m.trial_budget_s = static_cast<std::uint32_t>(Number(fields.at("budget")));
  if (fields.contains("use_before")) m.use_before = Number(fields.at("use_before"));
  m.payload_digest = digest("payload");
  m.payload_bytes = Number(fields.at("payload_bytes"));
  m.format = static_cast<PayloadFormat>(Number(fields.at("format")));
  m.tree_root = digest("tree");
  if (fields.contains("match")) {
    const std::string& match = fields.at("match");  // one digit, a colon, a version
    m.version_match = {static_cast<VersionMatch::Comparison>(match[0] - '0'), ParseVersion(match.substr(2)).value()};
  }
  m.precursor = optional("precursor");
  m.coswid = optional("coswid");
  m.text = optional("text");
  m.sbom = optional("sbom");
  return m;
}

std::string ToLine(const Manifest& m) {
  std::ostringstream line;
  const auto optional = [&](const char* name, const Maybe<Digest>& digest) {
    if (digest) line << " " << name << "=" << ToHex(*digest);
  };
  line << "ok sequence=" << m.sequence << " version=" << ToText(m.version).view() << " vendor=" << ToHex(m.vendor)
       << " class=" << ToHex(m.cls) << " image=" << ToHex(m.image_digest) << " image_bytes=" << m.image_bytes;
  if (m.slot) line << " slot=" << *m.slot;
  line << " security_version=" << m.security_version << " board_revision=" << m.min_board_revision
       << " budget=" << m.trial_budget_s;
  if (m.use_before) line << " use_before=" << *m.use_before;
  line << " payload=" << ToHex(m.payload_digest) << " payload_bytes=" << m.payload_bytes
       << " format=" << int{static_cast<std::uint8_t>(m.format)} << " tree=" << ToHex(m.tree_root);
  if (m.version_match) {
    line << " match=" << int{static_cast<std::uint8_t>(m.version_match->comparison)} << ":"
         << ToText(m.version_match->version).view();
  }
  optional("precursor", m.precursor);
  optional("coswid", m.coswid);
  optional("text", m.text);
  optional("sbom", m.sbom);
  return line.str();
}

std::string EncodeFields(std::istream& words) {
  Fields fields;
  for (std::string word; words >> word;) {
    const std::size_t equals = word.find('=');
    fields[word.substr(0, equals)] = word.substr(equals + 1);
  }
  Bytes bytes(kMaxEnvelopeBytes);
  const auto size = EncodeManifest(FromFields(fields), bytes);
  return size ? "ok " + ToHex(ByteView(bytes).first(*size)) : Refused(size.error());
}

std::string DescribePermit(const Result<VerifiedPermit>& permit) {
  if (!permit) return Refused(permit.error());
  const Permit& p = permit->get();
  std::ostringstream line;
  line << "ok " << p.device.view() << " " << p.job << " " << ToHex(p.manifest_digest) << " " << ToHex(p.nonce) << " "
       << p.use_within_s;
  return line.str();
}

std::string Answer(const std::string& question) {
  std::istringstream words(question);
  std::string verb, first, second, third;
  words >> verb;
  if (verb == "encode") return EncodeFields(words);
  words >> first >> second >> third;
  const Bytes bytes = Hex(first);
  if (verb == "cbor") {
    const Status status = cbor::CheckDeterministic(bytes);
    return status ? "ok" : Refused(status.error());
  }
  if (verb == "decode") {
    const auto manifest = DecodeManifest(bytes);
    return manifest ? ToLine(*manifest) : Refused(manifest.error());
  }
  if (verb == "anchors") return Again(DecodeAnchors(bytes), &EncodeAnchors);
  if (verb == "rom") return Again(DecodeRomIdentity(bytes), &EncodeRomIdentity);
  if (verb == "p256") {
    const bool holds = crypto::VerifyP256(HexTo<PublicKey>(first), HexTo<Digest>(second), HexTo<Signature>(third));
    return holds ? "ok" : "refused";
  }
  const Result<KeyTable> keys = DecodeAnchors(bytes);
  if (!keys) return Refused(keys.error());
  if (verb == "permit") return DescribePermit(VerifyPermit(Hex(second), *keys));
  PAWL_ASSERT(verb == "verify");
  const auto manifest = Verify(Hex(second), *keys);
  return manifest ? "ok " + ToHex(manifest->digest()) : Refused(manifest.error());
}

}  // namespace
}  // namespace pawl

int main() {
  for (std::string line; std::getline(std::cin, line);) std::cout << pawl::Answer(line) << std::endl;
}
