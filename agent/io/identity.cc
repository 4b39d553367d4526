#include "agent/io/identity.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <time.h>

#include <algorithm>

#include "agent/io/openssl_types.h"
#include "base/hosted/files.h"
#include "trust/crypto/p256.h"

namespace pawl::agent {
namespace {

constexpr std::size_t kMaxPemBytes = 65536;
constexpr std::size_t kMaxCas = 16;
constexpr std::size_t kMaxRomBytes = 4096;

std::unexpected<Error> TlsError(std::string_view what) {
  std::array<char, 160> text{};
  const unsigned long code = ERR_get_error();
  if (code != 0) ERR_error_string_n(code, text.data(), text.size());
  ERR_clear_error();
  Error error{Reason::kTls, what};
  if (code != 0) error.detail.append(": ").append(text.data());
  return std::unexpected(error);
}

BioPtr ReadBio(std::string_view text) { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

std::string TextOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

EVP_PKEY* Native(const PrivateKey& key) { return static_cast<EVP_PKEY*>(key.native()); }

Result<PublicKey> PointOf(EVP_PKEY* key) {
  std::array<std::uint8_t, 128> der{};
  std::uint8_t* end = der.data();
  const int size = i2d_PUBKEY(key, nullptr);
  if (size != static_cast<int>(crypto::kSpkiPrefix.size() + sizeof(PublicKey)) || i2d_PUBKEY(key, &end) != size) {
    return Fail(Reason::kMalformed, "not a P-256 key");
  }
  const ByteView spki = ByteView(der).first(static_cast<std::size_t>(size));
  if (!Equal(spki.first(crypto::kSpkiPrefix.size()), crypto::kSpkiPrefix)) {
    return Fail(Reason::kMalformed, "not a P-256 key");
  }
  PublicKey point{};
  std::ranges::copy(spki.subspan(crypto::kSpkiPrefix.size()), point.begin());
  return point;
}

std::uint64_t Seconds(const ASN1_TIME* time) {
  struct tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  const time_t value = ::timegm(&parts);
  return value < 0 ? 0 : static_cast<std::uint64_t>(value);
}

Result<CertificateFacts> FactsOf(X509* certificate) {
  CertificateFacts facts;
  std::array<char, 256> name{};
  const int length =
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name.data(), name.size());
  if (length > 0) facts.common_name.assign(name.data(), static_cast<std::size_t>(length));
  PAWL_ASSIGN(facts.public_key, PointOf(X509_get0_pubkey(certificate)));
  facts.not_before = Seconds(X509_get0_notBefore(certificate));
  facts.not_after = Seconds(X509_get0_notAfter(certificate));
  return facts;
}

std::string PemOf(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate);
  return TextOf(bio.get());
}

std::string NextFile(const Config& config) { return config.InData("device.next.pem"); }

// With an example of the remedy, for the one who set the device up.
std::unexpected<Error> NotEnrolled(const Error& error) {
  Error told = error;
  told.detail.append("; enrol the device first: pawl-agent enrol");
  return std::unexpected(told);
}

}  // namespace

// --- PrivateKey ---

Result<PrivateKey> PrivateKey::Generate() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  if (key == nullptr) return TlsError("no key made");
  return PrivateKey(std::shared_ptr<void>(key, [](void* k) { EVP_PKEY_free(static_cast<EVP_PKEY*>(k)); }));
}

Result<PrivateKey> PrivateKey::FromPem(std::string_view pem) {
  const BioPtr bio = ReadBio(pem);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr);
  if (key == nullptr) {
    ERR_clear_error();
    return Fail(Reason::kMalformed, "no PEM private key");
  }
  PrivateKey made(std::shared_ptr<void>(key, [](void* k) { EVP_PKEY_free(static_cast<EVP_PKEY*>(k)); }));
  PAWL_TRY(PointOf(key));
  return made;
}

Result<PrivateKey> PrivateKey::LoadOrGenerate(const std::string& path) {
  const auto text = ReadFile(path, kMaxPemBytes);
  if (text) return FromPem(*text);
  if (text.error().reason != Reason::kNotFound) return std::unexpected(text.error());
  PAWL_ASSIGN(PrivateKey key, Generate());
  PAWL_TRY(WriteFileDurably(path, key.Pem(), 0600));
  return key;
}

std::string PrivateKey::Pem() const {
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  PEM_write_bio_PKCS8PrivateKey(bio.get(), Native(*this), nullptr, nullptr, 0, nullptr, nullptr);
  return TextOf(bio.get());
}

PublicKey PrivateKey::public_key() const { return PointOf(Native(*this)).value_or(PublicKey{}); }

Result<std::string> PrivateKey::Csr(const std::string& common_name) const {
  const X509ReqPtr request(X509_REQ_new());
  X509_NAME* name = X509_REQ_get_subject_name(request.get());
  const auto* text = reinterpret_cast<const unsigned char*>(common_name.c_str());
  const bool made = X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1 &&
                    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1 &&
                    X509_REQ_set_pubkey(request.get(), Native(*this)) == 1 &&
                    X509_REQ_sign(request.get(), Native(*this), EVP_sha256()) > 0;
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!made || PEM_write_bio_X509_REQ(bio.get(), request.get()) != 1) return TlsError("no request made");
  return TextOf(bio.get());
}

// --- certificates ---

Result<CertificateFacts> ReadCertificate(std::string_view pem) {
  const BioPtr bio = ReadBio(pem);
  const X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!certificate) {
    ERR_clear_error();
    return Fail(Reason::kMalformed, "no PEM certificate");
  }
  return FactsOf(certificate.get());
}

Result<DeviceIdentity> LoadIdentity(const Config& config) {
  const bool renewing = FileExists(NextFile(config));
  auto key_text = ReadFile(renewing ? NextFile(config) : config.InData("device.key"), kMaxPemBytes);
  if (!key_text) return NotEnrolled(key_text.error());
  auto certificate = ReadFile(renewing ? NextFile(config) : config.InData("device.pem"), kMaxPemBytes);
  if (!certificate) return NotEnrolled(certificate.error());
  PAWL_ASSIGN(PrivateKey key, PrivateKey::FromPem(*key_text));
  PAWL_ASSIGN(CertificateFacts facts, ReadCertificate(*certificate));
  if (facts.public_key != key.public_key()) {
    return Fail(Reason::kInvalidArgument, "device.key and device.pem do not belong together; enrol again");
  }
  if (!wire::IsDeviceId(facts.common_name)) return Fail(Reason::kInvalidArgument, "device.pem: its CN is no device id");
  return DeviceIdentity{std::move(key), std::move(*certificate), std::move(facts)};
}

Status StoreRenewed(const Config& config, const DeviceIdentity& renewed) {
  const std::string both = renewed.key.Pem() + renewed.certificate;
  PAWL_TRY(WriteFileDurably(NextFile(config), both, 0600));  // from here on it counts
  PAWL_TRY(WriteFileDurably(config.InData("device.key"), renewed.key.Pem(), 0600));
  PAWL_TRY(WriteFileDurably(config.InData("device.pem"), renewed.certificate, 0644));
  return RemoveFile(NextFile(config));
}

Result<PinnedCas> PinCas(std::string_view pem, const KeyTable& anchors) {
  PinnedCas pinned;
  const BioPtr bio = ReadBio(pem);
  for (std::size_t i = 0; i < kMaxCas; ++i) {
    const X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!certificate) break;
    const auto facts = FactsOf(certificate.get());
    if (!facts || !IsTlsRoot(anchors, facts->public_key)) continue;
    pinned.pems.push_back(PemOf(certificate.get()));
    pinned.not_after = std::max(pinned.not_after, facts->not_after);
  }
  ERR_clear_error();
  if (!pinned.pems.empty()) return pinned;
  return Fail(
      Reason::kTls,
      "no certificate of ca.pem has a key that the ROM's anchors list as a tls-root: it is another platform's CA");
}

Result<PinnedCas> LoadPinnedCas(const Config& config, const KeyTable& anchors) {
  PAWL_ASSIGN(const std::string text, ReadFile(config.InData("ca.pem"), kMaxPemBytes));
  return PinCas(text, anchors);
}

Result<KeyTable> LoadAnchors(const Config& config) {
  PAWL_ASSIGN(const auto content, ReadFile(config.anchors, kMaxRomBytes));
  return DecodeAnchors(AsBytes(content));
}

Result<RomIdentity> LoadRomIdentity(const Config& config) {
  PAWL_ASSIGN(const auto content, ReadFile(config.identity, kMaxRomBytes));
  return DecodeRomIdentity(AsBytes(content));
}

}  // namespace pawl::agent
