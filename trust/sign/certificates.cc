#include "trust/sign/certificates.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"
#include "trust/crypto/crypto.h"
#include "trust/crypto/p256.h"
#include "trust/sign/openssl_types.h"
#include "trust/sign/release.h"

namespace pawl::sign {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kSerialBytes = 16;
constexpr std::uint64_t kDayS = 86400;
constexpr std::uint64_t kLastSecond = 253402300799;  // 9999-12-31T23:59:59Z: "no end", RFC 5280 section 4.1.2.5

// AlgorithmIdentifier of ecdsa-with-SHA256 (RFC 5758), DER.
constexpr std::array<std::uint8_t, 12> kEcdsaWithSha256 = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                                           0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};

Error OpensslError(std::string_view what) {
  std::array<char, 160> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return {Reason::kInvalidArgument, BoundedText<240>(what).append(": ").append(text.data())};
}

Status Require(bool done, std::string_view what) {
  if (!done) return std::unexpected(OpensslError(what));
  return {};
}

template <class Object>
Bytes Der(int (*encode)(Object*, unsigned char**), Object* object) {
  unsigned char* encoded = nullptr;
  const int size = encode(object, &encoded);
  Bytes der(encoded, encoded + std::max(size, 0));
  OPENSSL_free(encoded);
  return der;
}

// --- Names ---

bool IsDnsName(std::string_view name) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; };
  return !name.empty() && name.size() <= 253 && name.front() != '.' && name.back() != '.' && name.front() != '-' &&
         name.find("..") == std::string_view::npos && std::ranges::all_of(name, allowed);
}

// 4 or 16 bytes, or nothing.
Bytes ParseAddress(const std::string& text) {
  Bytes address(16);
  if (inet_pton(AF_INET6, text.c_str(), address.data()) == 1) return address;
  address.resize(4);
  if (inet_pton(AF_INET, text.c_str(), address.data()) == 1) return address;
  return {};
}

GENERAL_NAME* GeneralName(int type, ByteView value) {
  ASN1_STRING* string = ASN1_STRING_type_new(type == GEN_DNS ? V_ASN1_IA5STRING : V_ASN1_OCTET_STRING);
  ASN1_STRING_set(string, value.data(), static_cast<int>(value.size()));
  GENERAL_NAME* name = GENERAL_NAME_new();
  GENERAL_NAME_set0_value(name, type, string);
  return name;
}

using Constraints = std::unique_ptr<NAME_CONSTRAINTS, Freed<NAME_CONSTRAINTS_free>>;

void Permit(NAME_CONSTRAINTS* constraints, int type, ByteView value) {
  GENERAL_SUBTREE* subtree = GENERAL_SUBTREE_new();
  GENERAL_NAME_free(subtree->base);
  subtree->base = GeneralName(type, value);
  sk_GENERAL_SUBTREE_push(constraints->permittedSubtrees, subtree);
}

// An address with its mask behind it: here, exactly this address.
Bytes WithFullMask(Bytes address) {
  address.insert(address.end(), address.size(), 0xff);
  return address;
}

Result<Constraints> PermittedNames(const ServerNames& permitted) {
  if (permitted.size() > kMaxServerNames) return Fail(Reason::kTooLarge, "more than 32 names of servers");
  Constraints constraints(NAME_CONSTRAINTS_new());
  constraints->permittedSubtrees = sk_GENERAL_SUBTREE_new_null();
  Permit(constraints.get(), GEN_DNS, AsBytes("localhost"));
  Permit(constraints.get(), GEN_IPADD, Bytes{127, 0, 0, 0, 255, 0, 0, 0});
  Bytes loopback6(16);
  loopback6.back() = 1;
  Permit(constraints.get(), GEN_IPADD, WithFullMask(loopback6));
  for (const std::string& name : permitted) {
    const Bytes address = ParseAddress(name);
    if (address.empty() && !IsDnsName(name)) {
      return Fail(Reason::kInvalidArgument, "neither a DNS name in lower case nor an IP address: \"" + name + "\"");
    }
    if (address.empty())
      Permit(constraints.get(), GEN_DNS, AsBytes(name));
    else
      Permit(constraints.get(), GEN_IPADD, WithFullMask(address));
  }
  return constraints;
}

// --- A certificate on its way ---

Status SetSerial(X509* certificate) {
  std::array<std::uint8_t, kSerialBytes> random{};
  if (RAND_bytes(random.data(), random.size()) != 1) return Fail(Reason::kIo, "no random bytes for a serial number");
  const Bn number(BN_bin2bn(random.data(), random.size(), nullptr));
  return Require(BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr, "serial number");
}

Status SetLife(X509* certificate, std::uint64_t not_before, std::uint64_t not_after) {
  if (not_before >= not_after || not_after > kLastSecond) {
    return Fail(Reason::kInvalidArgument, "not_after must be later than not_before, and before the year 10000");
  }
  return Require(ASN1_TIME_set(X509_getm_notBefore(certificate), static_cast<time_t>(not_before)) != nullptr &&
                     ASN1_TIME_set(X509_getm_notAfter(certificate), static_cast<time_t>(not_after)) != nullptr,
                 "life");
}

Status SetPublicKey(X509* certificate, const PublicKey& key) {
  Bytes spki(crypto::kSpkiPrefix.begin(), crypto::kSpkiPrefix.end());
  spki.insert(spki.end(), key.begin(), key.end());
  const std::uint8_t* at = spki.data();
  const EvpKey parsed(key[0] == 0x04 ? d2i_PUBKEY(nullptr, &at, static_cast<long>(spki.size())) : nullptr);
  ERR_clear_error();
  if (!parsed) return Fail(Reason::kInvalidArgument, "the public key is no point on P-256");
  return Require(X509_set_pubkey(certificate, parsed.get()) == 1, "public key");
}

Status SetCommonName(X509* certificate, std::string_view name) {
  return Require(X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName, MBSTRING_UTF8,
                                            reinterpret_cast<const unsigned char*>(name.data()),
                                            static_cast<int>(name.size()), -1, 0) == 1,
                 "common name");
}

Status Extend(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const X509Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return Require(extension && X509_add_ext(certificate, extension.get(), -1) == 1, OBJ_nid2sn(nid));
}

struct Profile {
  std::string common_name;
  PublicKey public_key{};
  std::uint64_t not_before = 0;
  std::uint64_t not_after = 0;
  const char* basic_constraints;
  const char* key_usage;
  const char* extended_key_usage;
};

// All but the signature. `issuer` null: self-signed.
Result<X509Ptr> Prepare(const Profile& profile, X509* issuer) {
  X509Ptr certificate(X509_new());
  X509* const subject = certificate.get();
  X509* const signer = issuer != nullptr ? issuer : subject;
  PAWL_TRY(Require(X509_set_version(subject, X509_VERSION_3) == 1, "version"));
  PAWL_TRY(SetSerial(subject));
  PAWL_TRY(SetLife(subject, profile.not_before, profile.not_after));
  PAWL_TRY(SetPublicKey(subject, profile.public_key));
  PAWL_TRY(SetCommonName(subject, profile.common_name));
  PAWL_TRY(Require(X509_set_issuer_name(subject, X509_get_subject_name(signer)) == 1, "issuer"));
  PAWL_TRY(Extend(subject, signer, NID_basic_constraints, profile.basic_constraints));
  PAWL_TRY(Extend(subject, signer, NID_key_usage, profile.key_usage));
  PAWL_TRY(Extend(subject, signer, NID_ext_key_usage, profile.extended_key_usage));
  PAWL_TRY(Extend(subject, signer, NID_subject_key_identifier, "hash"));
  PAWL_TRY(Extend(subject, signer, NID_authority_key_identifier, "keyid:always"));
  return certificate;
}

// --- The signature ---

void AppendLength(Bytes& der, std::size_t size) {
  if (size < 0x80) {
    der.push_back(static_cast<std::uint8_t>(size));
    return;
  }
  const int bytes = size > 0xffff ? 3 : size > 0xff ? 2 : 1;
  der.push_back(static_cast<std::uint8_t>(0x80 | bytes));
  for (int i = bytes - 1; i >= 0; --i) der.push_back(static_cast<std::uint8_t>(size >> (8 * i)));
}

Bytes Wrapped(std::uint8_t tag, const Bytes& content) {
  Bytes der{tag};
  AppendLength(der, content.size());
  der.insert(der.end(), content.begin(), content.end());
  return der;
}

// ECDSA-Sig-Value in a BIT STRING.
Bytes SignatureBits(const Signature& signature) {
  const std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>> parts(ECDSA_SIG_new());
  ECDSA_SIG_set0(parts.get(), BN_bin2bn(signature.data(), 32, nullptr), BN_bin2bn(signature.data() + 32, 32, nullptr));
  unsigned char* encoded = nullptr;
  const int size = i2d_ECDSA_SIG(parts.get(), &encoded);
  Bytes bits{0};  // no unused bits
  bits.insert(bits.end(), encoded, encoded + std::max(size, 0));
  OPENSSL_free(encoded);
  return Wrapped(0x03, bits);
}

// OpenSSL signs only with keys that it holds, so the certificate is put together here: what is to be signed, the
// algorithm, the HSM's signature.
Result<Certificate> Sign(X509* certificate, SigningKey& key) {
  auto* algorithm = const_cast<X509_ALGOR*>(X509_get0_tbs_sigalg(certificate));
  X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_ecdsa_with_SHA256), V_ASN1_UNDEF, nullptr);
  const Bytes to_sign = Der(i2d_re_X509_tbs, certificate);
  PAWL_ASSIGN(const Signature signature, SignChecked(key, crypto::Hash(to_sign)));
  Bytes content = to_sign;
  content.insert(content.end(), kEcdsaWithSha256.begin(), kEcdsaWithSha256.end());
  const Bytes bits = SignatureBits(signature);
  content.insert(content.end(), bits.begin(), bits.end());
  Certificate made;
  made.der = Wrapped(0x30, content);

  const std::uint8_t* at = made.der.data();
  const X509Ptr parsed(d2i_X509(nullptr, &at, static_cast<long>(made.der.size())));
  const Bio bio(BIO_new(BIO_s_mem()));
  PAWL_TRY(Require(parsed && PEM_write_bio_X509(bio.get(), parsed.get()) == 1, "certificate"));
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  made.pem.assign(text, static_cast<std::size_t>(size));
  return made;
}

Result<X509Ptr> ParsePem(std::string_view pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!certificate) return Fail(Reason::kMalformed, "no certificate in PEM");
  return certificate;
}

// The CA of another installation with the same name must not be taken for this one.
std::string CaName(std::string_view kind, const SigningKey& key) {
  std::array<char, 16> hex{};
  return std::string("pawl ").append(kind).append(" CA ").append(HexEncode(key.kid(), hex));
}

Profile CaProfile(std::string_view kind, const SigningKey& key, std::uint64_t now_s, const char* extended_key_usage) {
  // Devices hold its key in their ROM: it must not end before them.
  return {CaName(kind, key),
          key.public_key(),
          now_s - std::min(now_s, kDayS),
          kLastSecond,
          "critical,CA:TRUE,pathlen:0",
          "critical,keyCertSign,cRLSign",
          extended_key_usage};
}

Status RequireLife(std::uint64_t not_before, std::uint64_t not_after, std::uint64_t max_s) {
  if (not_before < not_after && not_after - not_before <= max_s) return {};
  return Fail(Reason::kInvalidArgument,
              "a certificate's life must be 1.." + std::to_string(max_s / kDayS) + " days: not_before, not_after");
}

using Names = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;

Result<Names> AlternativeNames(const ServerCertificateFacts& facts) {
  const std::size_t count = facts.dns_names.size() + facts.addresses.size();
  if (count == 0 || count > kMaxServerNames)
    return Fail(Reason::kInvalidArgument, "1..32 names and addresses of a server");
  Names names(GENERAL_NAMES_new());
  for (const std::string& name : facts.dns_names) {
    if (!IsDnsName(name)) return Fail(Reason::kInvalidArgument, "no DNS name in lower case: \"" + name + "\"");
    sk_GENERAL_NAME_push(names.get(), GeneralName(GEN_DNS, AsBytes(name)));
  }
  for (const std::string& text : facts.addresses) {
    const Bytes address = ParseAddress(text);
    if (address.empty()) return Fail(Reason::kInvalidArgument, "no IP address: \"" + text + "\"");
    sk_GENERAL_NAME_push(names.get(), GeneralName(GEN_IPADD, address));
  }
  return names;
}

Status RequirePermitted(X509* certificate, X509* ca) {
  const Constraints constraints(
      static_cast<NAME_CONSTRAINTS*>(X509_get_ext_d2i(ca, NID_name_constraints, nullptr, nullptr)));
  X509_check_purpose(certificate, -1, 0);  // makes OpenSSL see the extensions just added; the answer is not wanted
  ERR_clear_error();
  if (!constraints || NAME_CONSTRAINTS_check(certificate, constraints.get()) == X509_V_OK) return {};
  return Fail(Reason::kForbidden,
              "the server CA may not certify such a name: add it to the signer's server_names and start it again");
}

}  // namespace

Result<Certificate> MakeServerCa(SigningKey& key, const ServerNames& permitted, std::uint64_t now_s) {
  PAWL_ASSIGN(const Constraints constraints, PermittedNames(permitted));
  PAWL_ASSIGN(const X509Ptr certificate, Prepare(CaProfile("server", key, now_s, "serverAuth"), nullptr));
  PAWL_TRY(Require(X509_add1_ext_i2d(certificate.get(), NID_name_constraints, constraints.get(), 1, 0) == 1,
                   "name constraints"));
  return Sign(certificate.get(), key);
}

Result<bool> PermitsExactly(std::string_view server_ca_pem, const ServerNames& permitted) {
  PAWL_ASSIGN(const X509Ptr certificate, ParsePem(server_ca_pem));
  PAWL_ASSIGN(const Constraints wanted, PermittedNames(permitted));
  const Constraints present(
      static_cast<NAME_CONSTRAINTS*>(X509_get_ext_d2i(certificate.get(), NID_name_constraints, nullptr, nullptr)));
  if (!present) return false;
  const auto der = [](NAME_CONSTRAINTS* constraints) {
    unsigned char* encoded = nullptr;
    const int size =
        ASN1_item_i2d(reinterpret_cast<ASN1_VALUE*>(constraints), &encoded, ASN1_ITEM_rptr(NAME_CONSTRAINTS));
    Bytes bytes(encoded, encoded + std::max(size, 0));
    OPENSSL_free(encoded);
    return bytes;
  };
  return der(present.get()) == der(wanted.get());
}

Result<Certificate> MakeDeviceCa(SigningKey& key, std::uint64_t now_s) {
  PAWL_ASSIGN(const X509Ptr certificate, Prepare(CaProfile("device", key, now_s, "clientAuth"), nullptr));
  return Sign(certificate.get(), key);
}

Result<Certificate> IssueDeviceCertificate(std::string_view ca_pem, SigningKey& ca_key,
                                           const DeviceCertificateFacts& facts) {
  PAWL_TRY(CheckDeviceId(facts.device));
  PAWL_TRY(RequireLife(facts.not_before, facts.not_after, kMaxDeviceCertificateLifeS));
  PAWL_ASSIGN(const X509Ptr ca, ParsePem(ca_pem));
  const Profile profile{facts.device,    facts.public_key,    facts.not_before,
                        facts.not_after, "critical,CA:FALSE", "critical,digitalSignature",
                        "clientAuth"};
  PAWL_ASSIGN(const X509Ptr certificate, Prepare(profile, ca.get()));
  return Sign(certificate.get(), ca_key);
}

Result<Certificate> IssueServerCertificate(std::string_view ca_pem, SigningKey& ca_key,
                                           const ServerCertificateFacts& facts) {
  PAWL_TRY(RequireLife(facts.not_before, facts.not_after, kMaxServerCertificateLifeS));
  PAWL_ASSIGN(const Names names, AlternativeNames(facts));
  PAWL_ASSIGN(const X509Ptr ca, ParsePem(ca_pem));
  const Profile profile{"pawl server",   facts.public_key,    facts.not_before,
                        facts.not_after, "critical,CA:FALSE", "critical,digitalSignature",
                        "serverAuth"};
  PAWL_ASSIGN(const X509Ptr certificate, Prepare(profile, ca.get()));
  PAWL_TRY(Require(X509_add1_ext_i2d(certificate.get(), NID_subject_alt_name, names.get(), 0, 0) == 1, "names"));
  PAWL_TRY(RequirePermitted(certificate.get(), ca.get()));
  return Sign(certificate.get(), ca_key);
}

}  // namespace pawl::sign
